"""The settings of a run: what they are, where they are read, and which can't go together."""

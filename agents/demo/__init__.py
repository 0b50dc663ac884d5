"""The whole chain in minutes, with a report."""

"""NetHack's engine with MiniHack's rules on it: actions, glyphs, crops."""

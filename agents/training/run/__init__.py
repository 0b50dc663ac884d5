"""One run on disk: its folder and who owns it, how far it is, what it is resumed from."""

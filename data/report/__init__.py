"""Shows an evaluation, in the terminal and as a page."""

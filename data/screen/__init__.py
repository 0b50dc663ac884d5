"""Draws the terminal's screens in HTML, for every page that shows a transition."""

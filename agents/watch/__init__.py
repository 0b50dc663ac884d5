"""Follows runs, studies and stores of answers on a local page, while they are written."""

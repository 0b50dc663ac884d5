"""Keeps every answer for ever in one SQLite file."""

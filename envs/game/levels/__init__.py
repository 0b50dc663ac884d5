"""Levels where each seed has its own: drawn, read from files, written as code, compiled once."""

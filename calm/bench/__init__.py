"""Compares asking through `calm` with asking through the SDK alone, on the same work."""

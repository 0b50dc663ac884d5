"""Looks into a trained agent: where it looks, and how it plays."""

"""Compares encoders and training with what a user would take otherwise, on the same work."""

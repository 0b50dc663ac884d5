"""Searches for good settings of training."""

"""Measures encoders and training beside their rivals, on the same work."""

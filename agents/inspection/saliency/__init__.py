"""Tells where a trained agent looks, and checks whether that means something."""

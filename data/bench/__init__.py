"""Benches that need labelled transitions."""

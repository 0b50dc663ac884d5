"""Builds the packaged labelled sets, and the half-trained players that they need."""

"""Plays tasks to make data: scripted players, and half-trained ones with their weights."""

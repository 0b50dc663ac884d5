"""Players that make data: scripted ones, and half-trained ones with their weights."""

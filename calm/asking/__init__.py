"""Turns transitions into questions, asks each once, and reads the replies into judgements."""

"""Trains every arm on every task with several seeds, and says what the results support."""

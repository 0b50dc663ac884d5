"""Trains every arm on every task with several seeds, and reports what the results support."""

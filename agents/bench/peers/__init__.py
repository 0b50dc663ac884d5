"""Trains with other people's libraries, on the work of `calm bench train`."""

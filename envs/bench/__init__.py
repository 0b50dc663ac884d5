"""Compares the environment's speed with MiniHack's own and with other vectorised environments."""

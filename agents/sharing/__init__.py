"""Trained agents and episodes for others to take: as Minari datasets, as tables, on the hub."""

"""Pays credit for achieved subgoals inside the vectorised environment."""

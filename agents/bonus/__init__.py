"""Bonuses that learn while the agent plays: random network distillation, and E3B."""

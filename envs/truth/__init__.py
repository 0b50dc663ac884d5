"""Computes from the engine's state which subgoals a step achieved; judges are scored against it."""

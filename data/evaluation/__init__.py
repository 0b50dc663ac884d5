"""Runs judges over a set and gathers their scores: the plan, the asking, the tables."""

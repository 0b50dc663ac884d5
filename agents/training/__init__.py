"""Trains an agent in a run folder: configuration, checkpoints, evaluation, loggers."""

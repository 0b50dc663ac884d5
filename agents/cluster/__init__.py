"""Trains a study's cells on more machines than one: by Ray, by Slurm, or on a shared folder.

Each is an executor (`agents.training.executor`) that `calm study` hands to `agents.study.run`.
"""

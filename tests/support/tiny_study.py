"""A study of two cells that are soon trained, and long enough to be stopped in their midst."""

PLAN = """
title: Tiny
all:
  {judge: none, n_envs: 4, n_steps: 32, eval_episodes: 4, features_dim: 16, steps: 3200,
   eval_every: 1600, checkpoint_every: 256}
tasks:
  KeyRoom-S5: {}
arms:
  one: {label: one, reward: 1 for the stairs, set: {}}
  two: {label: two, reward: 1 for the stairs, set: {gamma: 0.9}}
"""

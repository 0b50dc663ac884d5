"""Sets the work of `calm bench train`: task, keys and PPO's settings, the same for all."""

from __future__ import annotations

import os
import warnings
from typing import Any

KEYS = ("glyphs_crop", "blstats", "message")
"""Observation keys that the network sees."""
TASK = "MiniHack-KeyRoom-S5-v0"
"""The task of every environment."""
ENVS, STEPS, EPOCHS, MINIBATCHES = 16, 128, 4, 4
"""Environments, steps of each in a rollout, passes over it, and parts of a pass."""
ROLLOUT = ENVS * STEPS
"""Transitions of a rollout."""
CORES = len(os.sched_getaffinity(0))
"""Cores that this process may use."""
DEVICE = os.environ.get("CALM_BENCH_DEVICE", "cpu")
"""Where networks of ours and of stable-baselines3 are: cpu or cuda."""
GAMMA, LAMBDA, RATE, ENTROPY = 0.99, 0.95, 3e-4, 0.01
"""Discount, lambda of the advantage, step size of Adam, weight of the entropy bonus."""

StepsAndSeconds = tuple[int, float]
"""Environment steps, and the seconds that they took."""


def minihack() -> Any:
    """Makes one MiniHack environment as its documentation does, with the keys of the bench."""
    from envs.game.minihack_env import make_minihack

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_minihack(TASK, {"observation_keys": KEYS})

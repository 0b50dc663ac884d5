"""Success of a policy on levels it never trained on, measured on the environment's own reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data.metrics import wilson

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.vec_env import VecEnv


@dataclass(frozen=True)
class Success:
    """How many of the held-out levels a policy finished."""

    successes: int
    episodes: int
    return_env: float
    """Mean return on the environment's reward alone."""
    length: float
    """Mean steps of an episode."""

    @property
    def rate(self) -> float:
        return self.successes / self.episodes

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the rate."""
        return wilson(self.successes, self.episodes)


def measure_success(model: BaseAlgorithm, env: VecEnv, episodes: int) -> Success:
    """Plays `episodes` episodes, the first `episodes / n_envs` of each environment, all counted.

    Counting the first to end instead would favour short episodes, so every environment plays the
    same number; `env` must have been made with as many environments as divide `episodes`. The
    policy samples its actions, as it does in training.

    Args:
        model: what has `predict`.
        env: vectorised environment whose infos of ended episodes hold `episode`.
        episodes: how many to play; a multiple of `env.num_envs`.
    """
    if episodes % env.num_envs:
        raise ValueError(f"{episodes} episodes don't divide among {env.num_envs} environments")
    left = np.full(env.num_envs, episodes // env.num_envs)
    ended: list[dict[str, float]] = []
    observation = env.reset()
    while left.any():
        actions, _ = model.predict(observation, deterministic=False)
        observation, _, dones, infos = env.step(actions)
        for i in np.flatnonzero(dones & (left > 0)):
            left[i] -= 1
            ended.append(infos[i]["episode"])
    return Success(
        successes=sum(bool(e["success"]) for e in ended),
        episodes=len(ended),
        return_env=float(np.mean([e["r_env"] for e in ended])),
        length=float(np.mean([e["l"] for e in ended])),
    )

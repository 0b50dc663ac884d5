"""Measures a policy's success on levels it never trained on, by the environment's own reward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from agents.ppo.fast_ppo import FastPPO
from data.scoring.metrics import wilson
from envs.truth.tally import Tally, Times

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.vec_env import VecEnv


@dataclass(frozen=True)
class Success:
    """How many of the held-out levels a policy finished, and the means of their episodes."""

    successes: int
    """Levels that were finished."""
    episodes: int
    """Levels that were played."""
    return_env: float
    """Mean return on the environment's reward alone."""
    length: float
    """Mean steps of an episode."""
    credit: float = 0.0
    """Mean credit of an episode, before its weight; 0 without a judge."""
    subgoals: list[Times] = field(default_factory=list)
    """How often each subgoal was achieved, where a tally was kept."""

    @property
    def rate(self) -> float:
        """Share of the levels that were finished, in [0, 1]."""
        return self.successes / self.episodes

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the rate."""
        return wilson(self.successes, self.episodes)

    def repeats(self, source: str) -> float | None:
        """Returns the mean repeats of subgoals in an episode, by `truth` or `judge`."""
        repeats = [t.repeats for t in self.subgoals if t.source == source]
        return sum(repeats) if repeats else None


def measure_success(
    model: BaseAlgorithm,
    env: VecEnv,
    episodes: int,
    tally: Tally | None = None,
    *,
    greedy: bool = False,
) -> Success:
    """Plays episodes of held-out levels; returns how many were won, and their means.

    The first `episodes / B` of each of the B environments count. Counting the first to end instead
    would favour short episodes.

    Args:
        model: what has `predict`.
        env: vectorised environment whose infos of ended episodes hold `episode`.
        episodes: how many to play; a multiple of `env.num_envs`, B.
        tally: of `env`'s batch, to count subgoals too.
        greedy: take the likeliest action; by default the policy samples, as it does in training.

    Raises:
        ValueError: `episodes` is no multiple of B.
    """
    if episodes % env.num_envs:
        raise ValueError(f"{episodes} episodes don't divide among {env.num_envs} environments")
    left = np.full(env.num_envs, episodes // env.num_envs)
    ended: list[dict[str, float]] = []
    counted = []
    observation = env.reset()
    act = _actor(model, greedy)
    dones = np.ones(env.num_envs, np.bool_)
    while left.any():
        observation, _, dones, infos = env.step(act(observation, dones))
        for i in np.flatnonzero(dones & (left > 0)):
            left[i] -= 1
            ended.append(infos[i]["episode"])
            if tally is not None:
                counted.append(tally.of(int(i)))
    return Success(
        successes=sum(bool(e["success"]) for e in ended),
        episodes=len(ended),
        return_env=float(np.mean([e["r_env"] for e in ended])),
        length=float(np.mean([e["l"] for e in ended])),
        credit=float(np.mean([e["credit"] for e in ended])),
        subgoals=tally.times(counted) if tally is not None else [],
    )


def measure_same(
    model: BaseAlgorithm,
    env: VecEnv,
    episodes: int,
    seed: int,
    tally: Tally | None = None,
    *,
    greedy: bool = False,
) -> Success:
    """Returns `measure_success` on the same levels with the same random numbers every time.

    The random numbers of training are left as they are.

    Args:
        seed: of levels and actions; the others are `measure_success`'s.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        env.seed(seed)
        return measure_success(model, env, episodes, tally, greedy=greedy)


def _actor(model: BaseAlgorithm, greedy: bool) -> Callable[[Any, Any], Any]:
    """Returns a function from observations by key, (B, ...), to actions (B,).

    Its second argument (B,) bool marks the observations that begin an episode.

    Args:
        model: what plays.
        greedy: take the likeliest action, rather than draw one.
    """
    if isinstance(model, FastPPO):
        return model.actor(greedy)
    state = None

    def predict(observation: Any, begun: Any) -> Any:
        nonlocal state
        actions, state = model.predict(observation, state, begun, deterministic=greedy)
        return actions

    return predict

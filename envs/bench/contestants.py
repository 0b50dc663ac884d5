"""The contestants of `calm bench env`: ours, the engine alone, MiniHack, vectors of others."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

from calm.annotation.live import Annotator
from envs.environments import make_vec
from envs.game.minihack_env import make_minihack
from envs.implementations import engine_alone
from envs.stepping.batch import Batch
from envs.tasks import environment_of

KEYS = ("glyphs_crop", "blstats", "message")
"""Observation keys that all contestants fill."""
ENVS = 16
"""Environments of a vector on all cores."""
CORES = len(os.sched_getaffinity(0))
ENVS_1 = max(ENVS // CORES, 1)
"""Environments on one core where all cores have `ENVS`."""

FEW_STEPS, MANY_STEPS = 100, 10_000
"""Of the engine alone in the first call, and at most in one."""
CALL_SECONDS = 0.05
"""Calls of the engine alone that take longer are not made longer still."""

Play = Callable[[float], float]
"""Steps for about so many seconds; returns environment steps a second."""
Contestant = tuple[Play, Callable[[], Any]]
"""A function that plays, and one that closes what it plays."""


def _rate(step: Callable[[], int], seconds: float) -> float:
    """Calls `step` for so many seconds; returns environment steps a second."""
    steps, start = 0, time.perf_counter()
    while True:
        for _ in range(8):
            steps += step()
        taken = time.perf_counter() - start
        if taken >= seconds:
            return steps / taken


def engine(task: str, cores: int) -> Contestant:
    """Returns nle's C engine alone, one game a core: no observations, no Python between steps.

    Where each level seed has a map of its own, it plays one map again and again.
    """
    environment, options = environment_of(task)
    batch = Batch(environment, cores, KEYS, workers=cores, native=True, options=options)
    return _playing_raw(engine_alone(batch.backend), cores), batch.close


def _playing_raw(play_raw: Callable[[int], object], cores: int) -> Play:
    """Returns a function that plays so many steps a call that one takes about `CALL_SECONDS`.

    Where episodes last four steps, a step takes a hundred times as long as elsewhere, and workers
    that say nothing for long are killed.
    """
    size = FEW_STEPS

    def play(seconds: float) -> float:
        nonlocal size
        steps, start = 0, time.perf_counter()
        while (taken := time.perf_counter() - start) < seconds:
            play_raw(size)
            steps += size * cores
            if time.perf_counter() - start - taken < CALL_SECONDS:
                size = min(2 * size, MANY_STEPS)
        return steps / taken

    return play


def minihack(task: str) -> Contestant:
    """Returns MiniHack's own environment, one game, with random actions and resets."""
    env = _one_minihack(task)()
    actions = np.random.default_rng(0)
    env.reset()

    def step() -> int:
        _, _, terminated, truncated, _ = env.step(int(actions.integers(env.action_space.n)))
        if terminated or truncated:
            env.reset()
        return 1

    return lambda seconds: _rate(step, seconds), env.close


def _one_minihack(task: str) -> Callable[[], Any]:
    """Returns a function that makes MiniHack's own environment of a task."""
    environment, options = environment_of(task)

    def make() -> Any:
        env = make_minihack(environment, {"observation_keys": KEYS, **options})
        return Unseeded(env) if environment.startswith("MiniHack-Boxoban") else env

    return make


class Unseeded(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Resets without a seed, for MiniHack's Boxoban, whose reset takes none."""

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        """Starts an episode."""
        return self.env.reset()


def _sb3(kind: str) -> Callable[[str], Contestant]:
    """Returns what makes the contestant of one of stable-baselines3's kinds of vector."""

    def make(task: str) -> Contestant:
        from stable_baselines3.common import vec_env

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            vec = getattr(vec_env, kind)([_one_minihack(task)] * ENVS)
        vec.reset()
        return _stepping(vec.step, vec.action_space.n), vec.close

    return make


def _gymnasium_async(task: str) -> Contestant:
    """Returns gymnasium's asynchronous vector of MiniHack's environments."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vec = gymnasium.vector.AsyncVectorEnv([_one_minihack(task)] * ENVS, shared_memory=True)
    vec.reset()
    return _stepping(vec.step, int(vec.single_action_space.n)), vec.close  # type: ignore[attr-defined]


PEERS: Mapping[str, Callable[[str], Contestant]] = {
    "SB3 DummyVecEnv": _sb3("DummyVecEnv"),
    "SB3 SubprocVecEnv": _sb3("SubprocVecEnv"),
    "gymnasium AsyncVectorEnv": _gymnasium_async,
}
"""By name: vector environments of others over MiniHack's own, `ENVS` at once."""


def ours(
    task: str, n_envs: int, workers: int | None = None, judge: Annotator | None = None
) -> Contestant:
    """Returns ours, `envs.make_vec`, with judged credit where there is a judge."""
    vec = make_vec(task, n_envs, keys=KEYS, judge=judge, workers=workers)
    vec.reset()
    return _stepping(vec.step, vec.batch.n_actions, n_envs), vec.close


def _stepping(step: Callable[[Any], Any], n_actions: int, n_envs: int = ENVS) -> Play:
    """Returns a function that plays a vector environment; its actions are drawn beforehand."""
    actions = np.random.default_rng(0).integers(n_actions, size=(1024, n_envs))
    at = 0

    def once() -> int:
        nonlocal at
        at = (at + 1) % len(actions)
        step(actions[at])
        return n_envs

    return lambda seconds: _rate(once, seconds)

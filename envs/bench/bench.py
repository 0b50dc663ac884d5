"""Steps a second: ours, the engine alone, MiniHack through gymnasium, and vector environments.

All on the same machine in one run, with the same observation keys, random actions, automatic
resets and level generation, interleaved, medians over rounds.
"""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from calm.annotation.live import Annotator
from calm.bench.harness import Row, Say, machine, ratio, row
from calm.errors import UsageError
from calm.judges import make_judge
from envs.game.engine import make_minihack
from envs.make import make_vec
from envs.native.backend import NativeBackend
from envs.stepping.batch import Batch
from envs.tasks import task as find_task

TASKS = (
    "MiniHack-KeyRoom-S5-v0",
    "MiniHack-KeyRoom-S15-v0",
    "MiniHack-Corridor-R3-v0",
    "MiniHack-River-v0",
)
KEYS = ("glyphs_crop", "blstats", "message")
ENVS = 16
CORES = len(os.sched_getaffinity(0))
ENVS_1 = max(ENVS // CORES, 1)
"""Environments on one core where all cores have `ENVS`."""
PEERS = ("SB3 DummyVecEnv", "SB3 SubprocVecEnv", "gymnasium AsyncVectorEnv")
UNIT = "steps/s"

Play = Callable[[float], float]
"""Steps for about so many seconds; environment steps a second."""


@dataclass
class _Contest:
    """Rates by contestant, one for each round."""

    rates: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, ours: str, theirs: str) -> float:
        """Median over rounds of ours over theirs."""
        return ratio(self.rates[ours], self.rates[theirs])


def run(quick: bool = False, progress: Say | None = None) -> dict[str, Any]:
    """Measures and compares.

    Args:
        quick: one task and short rounds (about half a minute) instead of four (some minutes).
        progress: called with what is being measured.

    Returns:
        {"bench", "machine", "rows", "ratios", "by_task", "missing"}: rows of {"name", "task",
        "value", "unit", "min", "max"}; ratios are ours over theirs, the geometric mean over tasks:
        "minihack" one core against one core, "best_peer" 16 environments on all cores against the
        fastest of the vector environments, "engine" against the engine alone on the same cores;
        "credit_cost" and "credit_cost_all_cores" are what judged credit adds to the time of a step,
        as a share of it (their arithmetic mean; smaller is better).
    """
    say = progress or (lambda text: None)
    rounds, seconds = (3, 0.25) if quick else (5, 0.5)
    rows: list[Row] = []
    by_task: dict[str, dict[str, float]] = {}
    missing: list[str] = []
    for task in TASKS[:1] if quick else TASKS:
        contest = _measure(task, rounds, seconds, say, missing)
        for name, rates in contest.rates.items():
            rows.append(row(name, UNIT, rates, task=task))
        by_task[task] = _ratios(contest)
    ratios = {
        name: (statistics.fmean if "cost" in name else statistics.geometric_mean)(
            found[name] for found in by_task.values()
        )
        for name in next(iter(by_task.values()))
    }
    return {
        "bench": "env",
        "machine": machine(),
        "rows": rows,
        "ratios": ratios,
        "by_task": by_task,
        "missing": sorted(set(missing)),
    }


OURS, OURS_1 = f"ours, {ENVS} envs, all cores", f"ours, {ENVS_1} envs, 1 core"
JUDGED, JUDGED_1 = f"{OURS}, judged credit", f"{OURS_1}, judged credit"
ENGINE, ENGINE_1 = "engine alone, all cores", "engine alone, 1 core"
MINIHACK = "MiniHack, 1 core"


def _ratios(contest: _Contest) -> dict[str, float]:
    found = {"minihack": contest.ratio(OURS_1, MINIHACK), "engine": contest.ratio(OURS, ENGINE)}
    peers = [contest.ratio(OURS, f"{name}, {ENVS} envs") for name in PEERS
             if f"{name}, {ENVS} envs" in contest.rates]  # fmt: skip
    if peers:
        found["best_peer"] = min(peers)
    found["credit_cost"] = contest.ratio(OURS_1, JUDGED_1) - 1.0
    found["credit_cost_all_cores"] = contest.ratio(OURS, JUDGED) - 1.0
    return found


def _measure(task: str, rounds: int, seconds: float, say: Say, missing: list[str]) -> _Contest:
    contest = _Contest()
    with ExitStack() as stack:
        players: dict[str, Play] = {}

        def enter(name: str, make: Callable[[], tuple[Play, Callable[[], Any]]]) -> None:
            say(f"{task}: {name}")
            try:
                play, close = make()
            except ModuleNotFoundError as error:
                missing.append(f"{name.split(',')[0]}: {error.name} is not installed")
                return
            except UsageError as error:
                missing.append(f"{name}: {error}")
                return
            stack.callback(close)
            players[name] = play

        enter(ENGINE_1, lambda: _engine(task, 1))
        enter(ENGINE, lambda: _engine(task, CORES))
        enter(MINIHACK, lambda: _minihack(task))
        for peer, make in _PEERS.items():
            enter(f"{peer}, {ENVS} envs", lambda make=make: make(task))  # type: ignore[misc]
        for play in players.values():
            play(seconds / 2)  # warm up
        described = find_task(task)
        judge = Annotator(make_judge("rules"), described, described.subgoals)
        play, close = _ours(task, ENVS_1, 0, judge)
        play(10 * seconds)  # the descriptions of random play are judged
        close()
        for number in range(rounds):
            say(f"{task}: round {number + 1} of {rounds}")
            for name, play in players.items():
                contest.rates.setdefault(name, []).append(play(seconds))
            # Ours are set up anew: where a batch lies in memory makes 5 % of its speed.
            for name, n_envs, workers, by in (
                (OURS_1, ENVS_1, 0, None),
                (JUDGED_1, ENVS_1, 0, judge),
                (OURS, ENVS, None, None),
                (JUDGED, ENVS, None, judge),
            ):
                play, close = _ours(task, n_envs, workers, by)
                play(seconds)
                contest.rates.setdefault(name, []).append(play(seconds))
                close()
    return contest


def _for_a_while(step: Callable[[], int], seconds: float) -> float:
    steps, start = 0, time.perf_counter()
    while True:
        for _ in range(8):
            steps += step()
        taken = time.perf_counter() - start
        if taken >= seconds:
            return steps / taken


def _engine(task: str, cores: int) -> tuple[Play, Callable[[], Any]]:
    batch = Batch(task, cores, KEYS, workers=cores, native=True)
    backend = batch.backend
    assert isinstance(backend, NativeBackend)

    def play(seconds: float) -> float:
        steps, start = 0, time.perf_counter()
        while (taken := time.perf_counter() - start) < seconds:
            backend.play_raw(10_000)
            steps += 10_000 * cores
        return steps / taken

    return play, batch.close


def _minihack(task: str) -> tuple[Play, Callable[[], Any]]:
    env = make_minihack(task, {"observation_keys": KEYS})
    actions = np.random.default_rng(0)
    env.reset()

    def step() -> int:
        _, _, terminated, truncated, _ = env.step(int(actions.integers(env.action_space.n)))
        if terminated or truncated:
            env.reset()
        return 1

    return lambda seconds: _for_a_while(step, seconds), env.close


def _gym_env(task: str) -> Callable[[], Any]:
    return lambda: make_minihack(task, {"observation_keys": KEYS})


def _sb3(kind: str) -> Callable[[str], tuple[Play, Callable[[], Any]]]:
    def make(task: str) -> tuple[Play, Callable[[], Any]]:
        from stable_baselines3.common import vec_env

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            vec = getattr(vec_env, kind)([_gym_env(task)] * ENVS)
        vec.reset()
        return _vector(vec.step, vec.action_space.n), vec.close

    return make


def _async(task: str) -> tuple[Play, Callable[[], Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vec = gymnasium.vector.AsyncVectorEnv([_gym_env(task)] * ENVS, shared_memory=True)
    vec.reset()
    return _vector(vec.step, int(vec.single_action_space.n)), vec.close  # type: ignore[attr-defined]


_PEERS: Mapping[str, Callable[[str], tuple[Play, Callable[[], Any]]]] = {
    PEERS[0]: _sb3("DummyVecEnv"),
    PEERS[1]: _sb3("SubprocVecEnv"),
    PEERS[2]: _async,
}


def _ours(
    task: str, n_envs: int, workers: int | None = None, judge: Annotator | None = None
) -> tuple[Play, Callable[[], Any]]:
    vec = make_vec(task, n_envs, keys=KEYS, judge=judge, workers=workers)
    vec.reset()
    return _vector(vec.step, vec.batch.n_actions, n_envs), vec.close


def _vector(step: Callable[[Any], Any], n_actions: int, n_envs: int = ENVS) -> Play:
    """Plays a vector environment; its actions are drawn beforehand."""
    actions = np.random.default_rng(0).integers(n_actions, size=(1024, n_envs))
    at = 0

    def once() -> int:
        nonlocal at
        at = (at + 1) % len(actions)
        step(actions[at])
        return n_envs

    return lambda seconds: _for_a_while(once, seconds)

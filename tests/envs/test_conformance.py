"""Ours and MiniHack's own environment, stepped side by side: the same levels, the same actions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest

from envs.batch import Batch
from envs.engine import ENGINE_KEYS, NO_GLYPH, make_minihack

KEYS = (
    "glyphs", "chars", "colors", "specials", "blstats", "message", "inv_glyphs", "inv_letters",
    "inv_oclasses", "inv_strs", "screen_descriptions", "tty_chars", "tty_colors", "tty_cursor",
    "glyphs_crop", "chars_crop", "colors_crop", "specials_crop",
)  # fmt: skip
TASKS = ("MiniHack-KeyRoom-S5-v0", "MiniHack-Corridor-R2-v0", "MiniHack-River-v0")


class Theirs:
    """MiniHack's environment, which also keeps what the screen showed before it quits a game."""

    def __init__(self, task: str) -> None:
        self.env = make_minihack(task, {"observation_keys": list(KEYS)})
        self.shown: dict[str, Any] | None = None
        quit_game = self.env._quit_game

        def keep(observation: Any, done: bool) -> None:
            seen = self.env._get_observation(observation)
            self.shown = {key: value.copy() for key, value in seen.items()}
            quit_game(observation, done)

        self.env._quit_game = keep

    def reset(self, seed: int) -> dict[str, Any]:
        self.env.seed(seed, seed, False)
        return self.env.reset()[0]

    def step(self, action: int) -> tuple[dict[str, Any], float, bool, bool]:
        self.shown = None
        observation, reward, done, _, info = self.env.step(action)
        truncated = done and info["end_status"].name == "ABORTED"
        return self.shown or observation, reward, done and not truncated, truncated


def same(ours: dict[str, Any], i: int, theirs: dict[str, Any], where: str) -> None:
    for key in KEYS:
        row, expected = ours[key][i], theirs[key]
        if key == "glyphs_crop":
            row, expected = np.where(row == NO_GLYPH, 0, row), expected
        assert np.array_equal(row, expected), f"{key} differs {where}"


def side_by_side(task: str, steps: int, **batch: Any) -> int:
    """Steps both; the number of episodes that ended."""
    n = 2
    seeds: list[Iterator[int]] = [count(100 * i) for i in range(n)]
    theirs = [Theirs(task) for _ in range(n)]
    lengths = [0] * n
    ended = 0
    rng = np.random.default_rng(5)
    with Batch(task, n, KEYS, level_seeds=seeds, **batch) as ours:
        ours.reset()
        for i, env in enumerate(theirs):
            same(ours.arrays, i, env.reset(100 * i), f"after the first reset of {i}")
        for step in range(steps // n):
            actions = rng.integers(ours.n_actions, size=n)
            rewards, terminated, truncated = ours.step(actions)
            for i, env in enumerate(theirs):
                where = f"in step {step} of {i}, level seed {ours.level_seeds[i]}"
                observation, reward, term, trunc = env.step(int(actions[i]))
                lengths[i] += 1
                assert rewards[i] == np.float32(reward), where
                assert (terminated[i], truncated[i]) == (term, trunc), where
                if not (term or trunc):
                    same(ours.arrays, i, observation, where)
                    assert ours.steps[i] == lengths[i]
                    continue
                same(ours.final, i, observation, f"at the end, {where}")
                assert ours.final_steps[i] == lengths[i]
                lengths[i] = 0
                ended += 1
                same(ours.arrays, i, env.reset(int(ours.level_seeds[i])), f"after reset, {where}")
    for env in theirs:
        env.env.close()
    return ended


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("native", [False, True])
def test_equals_minihack(task: str, native: bool) -> None:
    assert side_by_side(task, 1600, native=native) >= 2


def test_offers_every_key_of_nle() -> None:
    assert set(KEYS) - {k for k in KEYS if k.endswith("_crop")} <= set(ENGINE_KEYS)

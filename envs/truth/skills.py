"""Computes the truth of MiniHack's skill tasks from the engine's state."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from envs.game.engine import WON
from envs.observer import Actions, Bools, Rows
from envs.stepping.batch import Batch
from envs.tasks.skills import Skill, glyphs_of

Array = npt.NDArray[Any]


class SkillTruth:
    """Observes the truth of every step of a batch of one skill task.

    An observer like `envs.truth.stream.TruthStream`. The deed (the second subgoal) is done in the
    step that MiniHack itself ends as won. The first subgoal is achieved when the thing enters the
    inventory (counted there), or the hero comes to stand where the map showed it.
    """

    keys: tuple[str, ...] = ("glyphs", "blstats", "inv_glyphs")

    def __init__(self, skill: Skill, batch: Batch) -> None:
        self._skill, self._batch = skill, batch
        self.subgoals = skill.task.subgoals
        self._glyphs = glyphs_of(skill.thing)
        self._before: tuple[Array, Array, Array] | None = None
        self.achieved: npt.NDArray[np.int8] = np.zeros((batch.n_envs, 2), np.int8)
        """(B, 2) of the last step, in the order of the task's subgoals."""

    def on_reset(self, rows: Rows) -> None:
        now = self._state()
        if self._before is None:
            self._before = now
        for before, current in zip(self._before, now, strict=True):
            before[rows] = current[rows]

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        assert self._before is not None, "reset the batch first"
        there, at, held = self._before
        _, now_at, now_held = after = self._state()
        if self._skill.taken:
            prepared = now_held > held
        else:
            rows = np.arange(len(at))
            prepared = there[rows, now_at[:, 0], now_at[:, 1]] & (now_at != at).any(1)
        won = self._batch.status == WON
        self.achieved = np.stack([prepared, won], axis=1).astype(np.int8)
        # A place under the hero shows the hero: what lay there is remembered until seen again.
        hidden = np.zeros_like(there)
        hidden[np.arange(len(at)), now_at[:, 0], now_at[:, 1]] = True
        self._before = (np.where(hidden, there, after[0]), now_at, now_held)

    def _state(self) -> tuple[Array, Array, Array]:
        """Returns where things are (B, 21, 79), the hero's cell (B, 2), how many it holds (B,)."""
        arrays = self._batch.arrays
        there = np.isin(arrays["glyphs"], self._glyphs)
        at = arrays["blstats"][:, [1, 0]].astype(np.int64)
        held = np.isin(arrays["inv_glyphs"], self._glyphs).sum(1)
        return there, at, held

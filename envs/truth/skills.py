"""Computes the truth of tasks whose deed MiniHack itself sees, from the engine's state."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from nle import nethack

from envs.game import messages
from envs.game.goal import WON
from envs.observer import Actions, Bools, Rows
from envs.stepping.batch import Batch
from envs.tasks.skills import Skill, glyphs_of
from envs.truth.stream import TruthStream

Array = npt.NDArray[Any]
PAID = 0.25
"""A reward above it, in a step that does not win, is for the deed of a task that goes on."""


class SkillTruth:
    """Observes the truth of every step of a batch of one task of `envs.tasks.skills`.

    An observer like `envs.truth.stream.TruthStream`. The first subgoal is achieved when the thing
    enters the inventory (counted there), or the hero comes to stand where the map showed it. The
    deed (the second) is done in the step that MiniHack itself ends as won, or for which it pays
    where the task goes on. Where the texts hear all that is said in a step, it is done too where
    the game says what MiniHack looks for before a `--More--`, so that MiniHack does not see it.
    """

    keys: tuple[str, ...] = TruthStream.keys

    def __init__(self, skill: Skill, batch: Batch) -> None:
        self._skill, self._batch = skill, batch
        self.subgoals = skill.task.subgoals
        more = self.subgoals[2:]
        self._stream = TruthStream(skill.task.id, more, batch) if more else None
        self._glyphs = glyphs_of(skill.thing)
        looked_for = (one for one in batch.rules.conditions if one.kind == "message")
        self._texts = [text for condition in looked_for for text in condition.texts]
        self._before: tuple[Array, Array, Array] | None = None
        self.achieved: npt.NDArray[np.int8] = np.zeros((batch.n_envs, len(self.subgoals)), np.int8)
        """(B, G) of the last step, in the order of the task's subgoals."""

    def on_reset(self, rows: Rows) -> None:
        now = self._state()
        if self._before is None:
            self._before = now
        for before, current in zip(self._before, now, strict=True):
            before[rows] = current[rows]
        if self._stream is not None:
            self._stream.on_reset(rows)

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
        deed = won if self._skill.ends else ~won & (self._batch.rewards > PAID)
        if messages.KEY in self._batch.arrays:
            deed |= self._says_so(self._batch.arrays[messages.KEY])
        alive = ~terminated | (self._batch.arrays["blstats"][:, nethack.NLE_BL_HP] > 0)
        self.achieved[:, :2] = np.stack([prepared, deed], axis=1) & alive[:, None]
        if self._stream is not None:
            self._stream.on_step(actions, terminated, truncated)
            self.achieved[:, 2:] = self._stream.achieved
        # A place under the hero shows the hero: what lay there is remembered until seen again.
        hidden = np.zeros_like(there)
        hidden[np.arange(len(at)), now_at[:, 0], now_at[:, 1]] = True
        self._before = (np.where(hidden, there, after[0]), now_at, now_held)

    def _says_so(self, messages_of_step: Array) -> Bools:
        """Returns where what was said in the step (B, bytes) has what MiniHack looks for, (B,)."""
        texts = (row.tobytes() for row in messages_of_step)
        return np.array([any(text in all_of_it for text in self._texts) for all_of_it in texts])

    def _state(self) -> tuple[Array, Array, Array]:
        """Returns where things are (B, 21, 79), the hero's cell (B, 2), how many it holds (B,)."""
        arrays = self._batch.arrays
        there = np.isin(arrays["glyphs"], self._glyphs)
        at = arrays["blstats"][:, [1, 0]].astype(np.int64)
        held = np.isin(arrays["inv_glyphs"], self._glyphs).sum(1)
        return there, at, held

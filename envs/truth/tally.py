"""Counts how often each subgoal is achieved in an episode, by the engine's truth and by the judge.

An agent that farms a subgoal achieves it again and again: drop and pick up, open and close, in and
out of nearness. Whether that pays is decided by the shaping; that it happens is counted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from calm.records import Task
from envs.credit.shaping import BatchCredit
from envs.observer import Actions, Bools, Rows
from envs.stepping.batch import Batch
from envs.tasks import task as find_task
from envs.truth.make import KEYS as TRUTH_KEYS
from envs.truth.make import make_truth, with_truth

Counts = npt.NDArray[np.int32]

KEYS = TRUTH_KEYS
"""The observation keys that a tally's batch must have."""


class Times(NamedTuple):
    """How often one subgoal was achieved in an episode, over many episodes."""

    source: str
    """By whom: `truth` or `judge`."""
    subgoal: str
    share: float
    """Of the episodes that achieved it at all, in [0, 1]."""
    times: float
    """Mean number of achievements of an episode."""
    repeats: float
    """Mean number of achievements beyond as many as are to be done: beyond the first, mostly."""
    false: float | None
    """Mean number of the judge's that the truth denies; None where the truth is not known."""


class Tally:
    """Counts the achievements of every episode of a batch.

    It appends itself to the batch's observers, and the truth of the task's given subgoals, where
    it is known.

    Args:
        batch: not yet reset; has the arrays in `KEYS`.
        shaping: whose judge is counted beside the truth, if there is one.
        task: whose given subgoals are counted; by default the batch's.
    """

    keys: tuple[str, ...] = KEYS

    def __init__(
        self, batch: Batch, shaping: BatchCredit | None = None, task: Task | None = None
    ) -> None:
        task = task or find_task(batch.task)
        known = with_truth(task)
        self.true_names = tuple(s.name for s in known)
        judged = shaping.subgoals if shaping else ()
        self.judged_names = tuple(s.name for s in judged)
        self._due = {s.name: s.times for s in (*known, *judged)}
        self._truth = make_truth(task, batch) if known else None
        self._judge = shaping.source if shaping else None
        # Columns of the judge's subgoals that the truth knows, and the truth's columns of these.
        both = [n for n in self.judged_names if n in self.true_names]
        self._judged_columns = [self.judged_names.index(n) for n in both]
        self._true_columns = [self.true_names.index(n) for n in both]
        n = batch.n_envs
        self._running = self._zeros(n)
        self.final = self._zeros(n)
        """Of the episode that the last step ended, in the rows where it ended one: counts by the
        truth (B, T), by the judge (B, J), and false ones by the judge (B, J)."""
        if self._truth is not None:
            batch.observers.append(self._truth)
        batch.observers.append(self)

    def _zeros(self, n: int) -> tuple[Counts, Counts, Counts]:
        """Returns new counts of n episodes, shaped as `final`."""
        t, j = len(self.true_names), len(self.judged_names)
        return (np.zeros((n, t), np.int32), np.zeros((n, j), np.int32), np.zeros((n, j), np.int32))

    def on_reset(self, rows: Rows) -> None:
        for counts, final in zip(self._running, self.final, strict=True):
            final[rows] = counts[rows]
            counts[rows] = 0

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        del actions, terminated, truncated
        true, judged, false = self._running
        if self._truth is not None:
            true += self._truth.achieved
        if self._judge is not None:
            yes = self._judge.achieved == 1
            judged += yes
            if self._truth is not None:
                denied = self._truth.achieved[:, self._true_columns] == 0
                false[:, self._judged_columns] += yes[:, self._judged_columns] & denied

    def of(self, row: int) -> tuple[Counts, Counts, Counts]:
        """Returns the counts of the episode that the last step ended in `row`: (T,), (J,), (J,)."""
        true, judged, false = self.final
        return true[row].copy(), judged[row].copy(), false[row].copy()

    def times(self, episodes: Sequence[tuple[Counts, Counts, Counts]]) -> list[Times]:
        """Returns the means over episodes, each as `of` returns it; the truth's subgoals first."""
        if not episodes:
            return []
        true, judged, false = (np.stack(part) for part in zip(*episodes, strict=True))
        times = [
            _times("truth", name, true[:, i], None, self._due.get(name, 1))
            for i, name in enumerate(self.true_names)
        ]
        for i, name in enumerate(self.judged_names):
            denied = false[:, i] if i in self._judged_columns else None
            times.append(_times("judge", name, judged[:, i], denied, self._due[name]))
        return times


def _times(source: str, name: str, counts: Counts, false: Counts | None, due: int) -> Times:
    """Returns the means of counts (E,) over E episodes of a subgoal, to be done `due` times."""
    return Times(
        source,
        name,
        float((counts > 0).mean()),
        float(counts.mean()),
        float(np.maximum(counts - due, 0).mean()),
        None if false is None else float(false.mean()),
    )

"""Credit beside the reward of a batch: who says what was achieved, and what it pays.

r = r_env + weight * credit, three numbers kept apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from calm.annotator import Annotator
from calm.credit import Credit, CreditMode
from calm.errors import UsageError
from calm.records import Subgoal
from envs.batch import Batch, Bools, Observer, Rewards
from envs.events import EventStream
from envs.native.sight import best_event_stream
from envs.tasks import task as find_task
from envs.truth import TruthStream

Achieved = npt.NDArray[np.int8]

RETRY_EVERY = 1000
"""Batch steps between two attempts to get a readable answer for descriptions that have none."""


class Achievements(Observer, Protocol):
    """An observer that says which subgoals the last step achieved."""

    @property
    def achieved(self) -> Achieved:
        """(B, G) int8: 1 yes, 0 no, -1 unreadable, -2 not answered yet."""


class MakeAchievements(Protocol):
    """Builds a source of achievements for a batch, e.g. the truth with errors mixed in."""

    def __call__(self, batch: Batch, subgoals: Sequence[Subgoal]) -> Achievements: ...


Judging = Annotator | str | MakeAchievements
"""Who says what was achieved: an annotator, "truth", or a function that builds the source."""


class Judged:
    """What an annotator says about the `events` description of each step.

    A description is asked for once, all new ones of a step together; afterwards a verdict is one
    row of the annotator's table, looked up by the description's number. Answers that come later
    count from the next step on.
    """

    keys: tuple[str, ...] = EventStream.keys

    def __init__(self, batch: Batch, annotator: Annotator) -> None:
        self.stream = best_event_stream(batch.task, batch)
        self.annotator = annotator
        self.in_step = self.stream.in_step
        self.news = True
        """False where the last step achieved nothing but what `heed` was told of."""
        self._number = np.zeros(0, np.int64)  # the annotator's, by the stream's
        self._said: Achieved = np.zeros((0, len(annotator.subgoals)), np.int8)  # by the stream's
        self._answers = 0  # of the annotator, when `_said` was written
        self._known: npt.NDArray[np.float32] | None = None
        self._step = 0
        self._retry_at = RETRY_EVERY
        self._achieved: Achieved | None = np.zeros((batch.n_envs, len(annotator.subgoals)), np.int8)

    @property
    def achieved(self) -> Achieved:
        """(B, G) int8, see `Achievements`; looked up when asked for."""
        if self._achieved is None:
            self._achieved = self._said[self.stream.ids]
        return self._achieved

    def heed(self, known: npt.NDArray[np.float32]) -> None:
        """Steps that achieve nothing but what `known` (B, G) has a 1 for are no news from now on.

        The array is read at every step, so that its owner may write it.
        """
        self._known = known
        self.stream.heed(self._said, known)

    def on_reset(self, rows: npt.NDArray[np.intp]) -> None:
        self.stream.on_reset(rows)

    def on_step(self, actions: npt.NDArray[np.int64], terminated: Bools, truncated: Bools) -> None:
        self.stream.on_step(actions, terminated, truncated)
        self._achieved = None
        self._step += 1
        annotator = self.annotator
        annotator.collect()
        current = self._answers == annotator.answers and self._step < self._retry_at
        self.news = self.stream.news or not current
        if self.news:
            self._look_up()

    def _look_up(self) -> None:
        """Asks about what is new, and takes what was said of the last step."""
        annotator, texts = self.annotator, self.stream.texts
        if new := len(texts) > len(self._number):
            numbers = annotator.ids(texts[len(self._number) :])
            self._number = np.concatenate([self._number, numbers])
        if self._step >= self._retry_at:
            self._retry_at = self._step + RETRY_EVERY
            annotator.ids(texts)  # asks again where no answer came
        if new or self._answers != annotator.answers:
            self._answers = annotator.answers
            self._said = annotator.table[self._number]
            if self._known is not None:
                self.stream.heed(self._said, self._known)
        self._achieved = self._said[self.stream.ids]


class Shaping:
    """Turns what a batch achieves into credit.

    Args:
        batch: not yet reset; its arrays hold `keys_of(judge)`.
        judge: see `Judging`.
        subgoals: by default the annotator's, or the task's given ones.
        mode: `every`, `once` or `potential`, see `calm.credit`.
        weight: of the credit in the reward.
        gamma: the agent's discount; only `potential` uses it.
    """

    def __init__(
        self,
        batch: Batch,
        judge: Judging,
        subgoals: Sequence[Subgoal] | None = None,
        mode: CreditMode = "once",
        weight: float = 0.5,
        gamma: float = 0.99,
    ) -> None:
        if isinstance(judge, str) and judge != "truth":
            raise UsageError(f'judge must be an Annotator or "truth", got {judge!r}')
        if isinstance(judge, Annotator):
            if subgoals is not None and tuple(subgoals) != tuple(judge.subgoals):
                raise UsageError("the annotator judges other subgoals than those given")
            subgoals = judge.subgoals
        elif subgoals is None:
            subgoals = find_task(batch.task).subgoals
        if not subgoals:
            raise UsageError(f"{batch.task} has no given subgoals; name some to pay for")
        self.subgoals = tuple(subgoals)
        self.weight = weight
        self._batch = batch
        self.source: Achievements
        if isinstance(judge, Annotator):
            self.source = Judged(batch, judge)
        elif isinstance(judge, str):
            self.source = TruthStream(batch.task, self.subgoals, batch)
        else:
            self.source = judge(batch, self.subgoals)
        batch.observers.append(self.source)
        self.credit = Credit(batch.n_envs, len(self.subgoals), mode, gamma)
        self.progress: npt.NDArray[np.float32] = np.zeros(
            (batch.n_envs, len(self.subgoals)), np.float32
        )
        """(B, G) 1 where this episode has achieved the subgoal."""
        self._once, self._potential = mode == "once", mode == "potential"
        self._judged = self.source if isinstance(self.source, Judged) else None
        if self._judged is not None and not self._potential:
            self._judged.heed(self.progress if self._once else np.zeros_like(self.progress))
        self.final_progress = self.progress.copy()
        """(B, G) the same for the episode that the last step ended, where it ended one."""

    def step(self, terminated: Bools, truncated: Bools) -> Rewards:
        """Credit of the step that the batch has just made, (B,) float32, before any weight."""
        # Most steps achieve nothing, or with `once` nothing new, and end nothing.
        quick = not self._potential and not self._batch.any_ended
        if quick and self._judged is not None and not self._judged.news:
            return np.zeros(len(terminated), np.float32)
        achieved = self.source.achieved
        before = self.credit.progress
        if quick:
            count = np.count_nonzero
            fresh = count(achieved)
            if fresh and self._once:
                fresh = count(achieved > before) or count(achieved < 0)
            if not fresh:
                return np.zeros(len(achieved), np.float32)
        self.final_progress[:] = before | (achieved == 1)
        credit = self.credit.step(achieved, terminated, truncated)
        self.progress[:] = self.credit.progress
        return credit

    def reset(self) -> None:
        """Forgets the progress of all environments."""
        self.credit.reset()
        self.progress[:] = 0


def keys_of(judge: Judging | None) -> tuple[str, ...]:
    """The observation keys that a judge's source reads."""
    if judge is None:
        return ()
    if isinstance(judge, str):
        return TruthStream.keys
    if isinstance(judge, Annotator):
        return Judged.keys
    return tuple(getattr(judge, "keys", ()))

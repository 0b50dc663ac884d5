"""Credit beside the reward of a batch: who says what was achieved, and what it pays.

r = r_env + weight * credit, three numbers kept apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from calm.annotation.live import Annotator
from calm.credit import Credit, CreditMode
from calm.errors import UsageError
from calm.records import Subgoal
from envs.events.stream import EventStream
from envs.native.events import NativeEventStream, Pay, best_event_stream
from envs.stepping.batch import Batch, Bools, Observer, Rewards
from envs.tasks import task as find_task
from envs.truth.make import KEYS as TRUTH_KEYS
from envs.truth.make import truth_of

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
        self._how = batch.status
        self._paying: NativeEventStream | None = None
        self._number = np.zeros(0, np.int64)  # the annotator's, by the stream's
        self._said: Achieved = np.zeros((0, len(annotator.subgoals)), np.int8)  # by the stream's
        self._answers = 0  # of the annotator, when `_said` was written
        self._step = 0
        self._retry_at = RETRY_EVERY
        self._achieved: Achieved | None = np.zeros((batch.n_envs, len(annotator.subgoals)), np.int8)

    @property
    def achieved(self) -> Achieved:
        """(B, G) int8, see `Achievements`; looked up when asked for."""
        if self._achieved is None:
            self._achieved = self._said[self.stream.ids]
        return self._achieved

    def pay(self, mode: CreditMode) -> Pay | None:
        """Pays from now on for every step that the batch makes; None where that is not possible
        here: with `potential`, and where nothing is compiled."""
        if mode == "potential" or not isinstance(self.stream, NativeEventStream):
            return None
        self._paying = self.stream
        pay = Pay(self._how, len(self.annotator.subgoals), mode == "once")
        self._paying.pay_with(pay)
        return pay

    def on_reset(self, rows: npt.NDArray[np.intp]) -> None:
        self.stream.on_reset(rows)

    def on_step(self, actions: npt.NDArray[np.int64], terminated: Bools, truncated: Bools) -> None:
        annotator = self.annotator
        self._achieved = None
        self.stream.on_step(actions, terminated, truncated)
        self._step += 1
        if self._step >= self._retry_at:
            self._retry_at = self._step + RETRY_EVERY
            annotator.ids(self.stream.texts)  # asks again where no answer came
        if self._paying is None or not self._paying.paid:
            self._ask()
        annotator.collect()
        if self._answers != annotator.answers:
            self._achieved = self.achieved  # by the answers that paid for this step
            self._take()

    def _ask(self) -> None:
        """Asks about what is new in the last step, and pays for the step if that had to wait."""
        texts = self.stream.texts
        if len(texts) > len(self._number):
            new = self.annotator.ids(texts[len(self._number) :])
            self._number = np.concatenate([self._number, new])
            self._take()
        if self._paying is not None:
            self._paying.number()

    def _take(self) -> None:
        """Takes in what the annotator has been answered so far."""
        self._answers = self.annotator.answers
        self._said = self.annotator.table[self._number]
        if self._paying is not None and self._paying.pay is not None:
            self._paying.pay.tell(self._said)


class Shaping:
    """Turns what a batch achieves into credit.

    Args:
        batch: not yet reset; its arrays hold `keys_of(judge)`.
        judge: see `Judging`.
        subgoals: by default the annotator's, or the task's given ones.
        mode: `every`, `once` or `potential`, see `calm.credit`.
        weight: of the credit in the reward, a finite number.
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
        if not math.isfinite(weight):
            raise UsageError(f"weight must be a finite number, got {weight}")
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
            self.source = truth_of(batch.task, self.subgoals, batch)
        else:
            self.source = judge(batch, self.subgoals)
        batch.observers.append(self.source)
        self._once, self._potential = mode == "once", mode == "potential"
        self._credit = Credit(batch.n_envs, len(self.subgoals), mode, gamma)
        self._pay = self.source.pay(mode) if isinstance(self.source, Judged) else None
        self.counts: Credit | Pay = self._pay or self._credit
        """Whose `unreadable` and `pending` say how many steps so far had no answer."""
        shape = batch.n_envs, len(self.subgoals)
        self.progress: npt.NDArray[np.float32] = np.zeros(shape, np.float32)
        """(B, G) 1 where this episode has achieved the subgoal."""
        self.final_progress: npt.NDArray[np.float32] = np.zeros(shape, np.float32)
        """(B, G) the same for the episode that the last step ended, where it ended one."""
        self._none = _fixed(np.zeros(batch.n_envs, np.float32))  # handed out again and again
        if self._pay is not None:
            self.progress, self.final_progress = self._pay.progress, self._pay.final_progress

    def step(self, terminated: Bools, truncated: Bools) -> Rewards:
        """Credit of the step that the batch has just made, (B,) float32, before any weight; it
        can't be written to."""
        if self._pay is not None:
            return _fixed(self._pay.credit.copy()) if self._pay.any else self._none
        achieved = self.source.achieved
        before = self._credit.progress
        # Most steps achieve nothing, or with `once` nothing new, and end nothing.
        if not self._potential and not self._batch.any_ended:
            count = np.count_nonzero
            fresh = count(achieved)
            if fresh and self._once:
                fresh = count(achieved > before) or count(achieved < 0)
            if not fresh:
                return self._none
        self.final_progress[:] = before | (achieved == 1)
        credit = self._credit.step(achieved, terminated, truncated)
        self.progress[:] = self._credit.progress
        return _fixed(credit)

    def reset(self) -> None:
        """Forgets the progress of all environments."""
        self._credit.reset()
        self.progress[:] = 0


def _fixed(credit: Rewards) -> Rewards:
    credit.flags.writeable = False
    return credit


def keys_of(judge: Judging | None) -> tuple[str, ...]:
    """The observation keys that a judge's source reads."""
    if judge is None:
        return ()
    if isinstance(judge, str):
        return TRUTH_KEYS
    if isinstance(judge, Annotator):
        return Judged.keys
    return tuple(getattr(judge, "keys", ()))

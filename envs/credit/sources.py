"""Achievement sources: they answer which subgoals a batch's last step achieved.

A source is a judge that is asked through an annotator, the engine's truth, or what a function
builds, such as the truth with errors mixed in (`envs.credit.noisy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from calm.annotation.live import Annotator
from calm.errors import UsageError
from calm.records import Subgoal
from envs.events.stream import EventStream
from envs.implementations import InStepCredit, PayingStream, make_event_stream, paying_stream
from envs.observer import Actions, Bools, Observer, Rows
from envs.stepping.batch import Batch
from envs.truth.make import KEYS as TRUTH_KEYS
from envs.truth.make import truth_of

Achieved = npt.NDArray[np.int8]

RETRY_EVERY = 1000
"""Batch steps between two attempts to get a readable answer for descriptions that have none."""


class AchievementSource(Observer, Protocol):
    """An observer that knows which subgoals the last step of each environment achieved."""

    @property
    def achieved(self) -> Achieved:
        """Of the last step, (B, G) int8: 1 yes, 0 no, -1 unreadable, -2 not answered yet."""


class MakeSource(Protocol):
    """Builds an achievement source for a batch, e.g. the truth with errors mixed in."""

    def __call__(self, batch: Batch, subgoals: Sequence[Subgoal]) -> AchievementSource:
        """Returns the source of a batch that has not been reset, for these subgoals."""


SourceChoice = Annotator | str | MakeSource
"""Whose answers count: an annotator's (a judge and its memory), the "truth", or those of the source
that a function builds."""


class JudgeSource:
    """Answers by an annotator, which reads the `events` description of each step.

    The judge is asked about a description once, about all new ones of a step together; afterwards
    the answer is a row of the annotator's table, looked up by the description's number. Answers
    that come later count from the next step on.
    """

    keys: tuple[str, ...] = EventStream.keys

    def __init__(self, batch: Batch, annotator: Annotator) -> None:
        self.stream = make_event_stream(batch.task, batch)
        self.annotator = annotator
        self.in_step = self.stream.in_step
        self._status = batch.status
        self._paying: PayingStream | None = None
        self._rows_of_table = np.zeros(0, np.int64)  # of the annotator, by event
        self._answers_by_event: Achieved = np.zeros((0, len(annotator.subgoals)), np.int8)
        self._n_answers = 0  # of the annotator, when `_answers_by_event` was written
        self._step = 0
        self._retry_at = RETRY_EVERY
        self._achieved: Achieved | None = np.zeros((batch.n_envs, len(annotator.subgoals)), np.int8)

    @property
    def achieved(self) -> Achieved:
        """(B, G) int8, see `AchievementSource`; looked up when it is read."""
        if self._achieved is None:
            self._achieved = self._answers_by_event[self.stream.ids]
        return self._achieved

    def pay_in_step(self, once: bool, subgoals: Sequence[Subgoal]) -> InStepCredit | None:
        """Pays from now on for every step within the step itself.

        Returns what pays; None where nothing is compiled, and so nothing is paid here.

        Args:
            once: pay each subgoal as often as it is to be done in an episode, else every time.
            subgoals: the annotator's, with how often each is to be done.
        """
        self._paying = paying_stream(self.stream, self._status, subgoals, once)
        return None if self._paying is None else self._paying.pay

    def on_reset(self, rows: Rows) -> None:
        self.stream.on_reset(rows)

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
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
        if self._n_answers != annotator.answers:
            self._achieved = self.achieved  # by the answers that paid for this step
            self._read_table()

    def _ask(self) -> None:
        """Asks about what is new in the last step, and pays for the step if that has waited."""
        texts = self.stream.texts
        if len(texts) > len(self._rows_of_table):
            new = self.annotator.ids(texts[len(self._rows_of_table) :])
            self._rows_of_table = np.concatenate([self._rows_of_table, new])
            self._read_table()
        if self._paying is not None:
            self._paying.number()

    def _read_table(self) -> None:
        """Reads the answers so far from the annotator's table."""
        self._n_answers = self.annotator.answers
        self._answers_by_event = self.annotator.table[self._rows_of_table]
        if self._paying is not None and self._paying.pay is not None:
            self._paying.pay.set_answers(self._answers_by_event)


def make_source(
    choice: SourceChoice, batch: Batch, subgoals: Sequence[Subgoal]
) -> AchievementSource:
    """Returns the achievement source of this choice; append it to `batch.observers`.

    Raises:
        UsageError: a word that is not "truth", or subgoals without a truth.
    """
    if isinstance(choice, Annotator):
        return JudgeSource(batch, choice)
    if not isinstance(choice, str):
        return choice(batch, subgoals)
    check_choice(choice)
    return truth_of(batch.task, subgoals, batch)


def check_choice(choice: SourceChoice) -> None:
    """Checks that a word names a source.

    Raises:
        UsageError: it does not.
    """
    if isinstance(choice, str) and choice != "truth":
        raise UsageError(f'judge must be an Annotator or "truth", got {choice!r}')


def keys_of(choice: SourceChoice | None) -> tuple[str, ...]:
    """Returns the observation keys that a source of this choice reads; none without a choice."""
    if choice is None:
        return ()
    if isinstance(choice, str):
        return TRUTH_KEYS
    if isinstance(choice, Annotator):
        return JudgeSource.keys
    return tuple(getattr(choice, "keys", ()))

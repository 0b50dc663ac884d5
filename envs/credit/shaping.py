"""Pays credit beside the reward of a batch, for what its steps achieved.

r = r_env + weight * credit, three numbers that stay apart. What was achieved is answered by one of
`envs.credit.sources`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calm.annotation.live import Annotator
from calm.credit import Credit, CreditMode
from calm.errors import UsageError
from calm.records import Subgoal
from envs.credit.sources import (
    AchievementSource,
    JudgeSource,
    SourceChoice,
    check_choice,
    make_source,
)
from envs.implementations import InStepCredit
from envs.observer import Bools
from envs.stepping.batch import Batch, Rewards
from envs.tasks import task as find_task


class BatchCredit:
    """Turns what a batch achieves into credit.

    Args:
        batch: not yet reset; its arrays hold `keys_of(judge)`.
        judge: whose answers count, see `envs.credit.sources.SourceChoice`.
        subgoals: by default the annotator's, or the task's given ones.
        mode: `every`, `once` or `potential`, see `calm.credit`.
        weight: of the credit in the reward, a finite number.
        gamma: the agent's discount; only `potential` uses it.

    Raises:
        UsageError: no such judge, no subgoals, others than the annotator's, or no finite weight.
    """

    def __init__(
        self,
        batch: Batch,
        judge: SourceChoice,
        subgoals: Sequence[Subgoal] | None = None,
        mode: CreditMode = "once",
        weight: float = 0.5,
        gamma: float = 0.99,
    ) -> None:
        if not math.isfinite(weight):
            raise UsageError(f"weight must be a finite number, got {weight}")
        check_choice(judge)
        if isinstance(judge, Annotator):
            if subgoals is not None and tuple(subgoals) != tuple(judge.subgoals):
                raise UsageError("the annotator judges other subgoals than those given")
            subgoals = subgoals or judge.subgoals
        elif subgoals is None:
            subgoals = find_task(batch.task).subgoals
        if not subgoals:
            raise UsageError(f"{batch.task} has no given subgoals; name some to pay for")
        self.subgoals = tuple(subgoals)
        self.weight = weight
        self._batch = batch
        self.source: AchievementSource = make_source(judge, batch, self.subgoals)
        batch.observers.append(self.source)
        self._once, self._potential = mode == "once", mode == "potential"
        times = [s.times for s in self.subgoals]
        self._credit = Credit(batch.n_envs, len(times), mode, gamma, times)
        self._in_step: InStepCredit | None = None
        if not self._potential and isinstance(self.source, JudgeSource):
            self._in_step = self.source.pay_in_step(self._once, self.subgoals)
        self.counts: Credit | InStepCredit = self._in_step or self._credit
        """Its `unreadable` and `pending` are the numbers of steps so far without an answer."""
        shape = batch.n_envs, len(self.subgoals)
        self.progress: npt.NDArray[np.float32] = np.zeros(shape, np.float32)
        """(B, G) the share of each subgoal that this episode has done, in [0, 1]."""
        self.final_progress: npt.NDArray[np.float32] = np.zeros(shape, np.float32)
        """(B, G) the same for the episode that the last step ended, where it ended one."""
        self._none = _read_only(np.zeros(batch.n_envs, np.float32))  # returned again and again
        if self._in_step is not None:
            self.progress, self.final_progress = (
                self._in_step.progress,
                self._in_step.final_progress,
            )

    def step(self, terminated: Bools, truncated: Bools) -> Rewards:
        """Returns the last step's credit, (B,) float32 before its weight, read-only."""
        if self._in_step is not None:
            return _read_only(self._in_step.credit.copy()) if self._in_step.any else self._none
        achieved = self.source.achieved
        # Most steps achieve nothing, or with `once` nothing new, and end nothing.
        if not self._potential and not self._batch.any_ended:
            count = np.count_nonzero
            fresh = count(achieved)
            if fresh and self._once:
                fresh = count(achieved > self._credit.progress) or count(achieved < 0)
            if not fresh:
                return self._none
        credit = self._credit.step(achieved, terminated, truncated)
        self.final_progress[:] = self._credit.final_progress
        self.progress[:] = self._credit.progress
        return _read_only(credit)

    def reset(self) -> None:
        """Forgets the progress of all environments."""
        self._credit.reset()
        self.progress[:] = 0


def _read_only(credit: Rewards) -> Rewards:
    """Returns the same array, which can't be written to any more."""
    credit.flags.writeable = False
    return credit

"""Makes the truth of a task: an observer that knows, step by step, what was achieved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from calm.records import Subgoal, Task
from envs.observer import Observer
from envs.stepping.batch import Batch
from envs.subgoals import SUBGOALS
from envs.tasks.skills import BY_ID
from envs.truth.skills import SkillTruth
from envs.truth.stream import TruthStream, check_known

KEYS = tuple(dict.fromkeys((*TruthStream.keys, *SkillTruth.keys)))
"""The observation keys that the truth of any task reads."""


class Truth(Observer, Protocol):
    """An observer that knows what the last step achieved."""

    subgoals: tuple[Subgoal, ...]
    """(G,) those whose truth is known."""
    achieved: npt.NDArray[np.int8]
    """(B, G) 1 where the last step achieved the subgoal, else 0."""


def with_truth(task: Task) -> tuple[Subgoal, ...]:
    """Returns those of a task's given subgoals whose truth the engine's state tells.

    They are the subgoals of `envs.subgoals`, and those of the skill tasks. A subgoal of one's own
    is one of them if its name and its definition are the same, word for word.
    """
    skill = BY_ID.get(task.id)
    if skill is not None and task.subgoals == skill.task.subgoals:
        return task.subgoals
    return known_truth(task.subgoals)


def known_truth(subgoals: Sequence[Subgoal]) -> tuple[Subgoal, ...]:
    """Returns those that are subgoals of `envs.subgoals`, by name and definition."""
    return tuple(s for s in subgoals if SUBGOALS.get(s.name) == s)


def make_truth(task: Task, batch: Batch) -> Truth:
    """Returns the observer that knows the truth of a task's given subgoals, of those `with_truth`.

    An observer: append it to `batch.observers` before `batch.reset()`.
    """
    return truth_of(task.id, with_truth(task), batch)


def truth_of(task_id: str, subgoals: Sequence[Subgoal], batch: Batch) -> Truth:
    """Returns the observer that knows the truth of these subgoals of a task.

    Raises:
        UsageError: the truth of one of them is not known.
    """
    skill = BY_ID.get(task_id)
    if skill is not None and tuple(subgoals) == skill.task.subgoals:
        return SkillTruth(skill, batch)
    return TruthStream(task_id, subgoals, batch)


def check_truth(task_id: str, subgoals: Sequence[Subgoal]) -> None:
    """Checks that the truth of all these subgoals of a task is known.

    Raises:
        UsageError: names the first of which it is not.
    """
    skill = BY_ID.get(task_id)
    if skill is None or tuple(subgoals) != skill.task.subgoals:
        check_known(subgoals)

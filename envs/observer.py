"""Observers: objects that look at every transition of a batch, such as descriptions and truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from envs.tasks import task

Array = npt.NDArray[Any]
Actions = npt.NDArray[np.int64]
"""(B,) the action of each environment, by its index."""
Bools = npt.NDArray[np.bool_]
"""(B,) yes or no of each environment."""
Rows = npt.NDArray[np.intp]
"""The indices of some of the B environments, ascending."""


class Arrays(Protocol):
    """Holds the arrays that observers look at, as a batch does."""

    @property
    def arrays(self) -> Mapping[str, Array]:
        """The observations of all environments by nle's key, (B, ...)."""


class Observer(Protocol):
    """Looks at every transition of a batch, in `envs.stepping.batch.Batch.observers`."""

    keys: tuple[str, ...]
    """Keys of `Batch.arrays` that it reads.

    An observer with a true attribute `in_step` has seen every row within the backend's step, before
    it was reset. If all of them have, `on_step` finds in `arrays` where each row is now, and s' of
    rows that have ended in `final`.
    """

    def on_reset(self, rows: Rows) -> None:
        """Takes in that rows were reset; the arrays hold their first observation."""

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        """Takes in that every row was stepped; the arrays hold s', also for rows that ended."""


def names_of_actions(
    task_id: str, batch: Arrays, actions: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Returns the English names of a batch's actions, by index.

    Args:
        task_id: the task's, whose names are taken where the batch has no rules of its own.
        batch: what is stepped; the names in its `rules` are the engine's.
        actions: names to take instead; None for the engine's or the task's.

    Raises:
        UsageError: the batch has more or fewer actions.
    """
    rules = getattr(batch, "rules", None)
    if actions is not None:
        names = actions
    else:
        names = task(task_id).actions if rules is None else rules.actions
    needed = getattr(batch, "n_actions", len(names))
    if needed != len(names):
        raise UsageError(
            f"the batch has {needed} actions and {task_id} names {len(names)};"
            " give the English names of the batch's own"
        )
    return names

"""What judges are scored against, as arrays; here the engine's truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from calm.records import LabelledTransition, Task
from data.evaluation.subgoal_match import OTHER
from data.parquet import names_of

UNKNOWN = -2
"""In arrays of truth and of answers: there is none, since the subgoal is of another task."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The right answers to N transitions about G subgoals, in K episodes."""

    names: tuple[str, ...]
    """(G,) subgoals, over all tasks."""
    truth: npt.NDArray[np.int8]
    """(N, G) 1 achieved, 0 not, -2 not known, since the transition is of another task."""
    kinds: tuple[str, ...]
    """(N,) the class of each transition, `none` or what it achieved."""
    clusters: npt.NDArray[np.int64]
    """(N,) which episode each is of, 0 to K - 1."""
    natural_rate: float
    """Share of all transitions of natural play that achieve something."""

    @property
    def any(self) -> npt.NDArray[np.int8]:
        """(N,) int8, 1 where any subgoal was achieved, else 0."""
        return np.asarray((self.truth == 1).any(1), dtype=np.int8)


def engine_reference(
    rows: Sequence[LabelledTransition],
    tasks: Mapping[str, Task],
    natural_rate: float | None = None,
    *,
    other: bool = False,
) -> Reference:
    """The engine's truth about the subgoals of `tasks`.

    Args:
        rows: at least one.
        tasks: of the rows, by id.
        natural_rate: None takes the rows' own share of transitions that achieve something.
        other: adds a column for subgoals that mean none of the given ones; never known.

    Raises:
        UsageError: no rows, a task without subgoals, a row without the truth of a subgoal.
    """
    if not rows:
        raise UsageError("there are no transitions to evaluate on")
    for id in {r.transition.task for r in rows}:
        if id not in tasks or not tasks[id].subgoals:
            raise UsageError(f"no subgoals are given for task {id!r}; name some to ask about")
    used = {r.transition.task: tasks[r.transition.task] for r in rows}
    names = names_of(used)
    columns = (*names, OTHER) if other else tuple(names)
    truth = np.full((len(rows), len(columns)), UNKNOWN, dtype=np.int8)
    kinds = []
    index = {name: g for g, name in enumerate(columns)}
    for i, row in enumerate(rows):
        names_here = [s.name for s in used[row.transition.task].subgoals]
        if missing := [n for n in names_here if n not in row.truth]:
            raise UsageError(
                f"episode {row.transition.episode!r} step {row.transition.step} has no truth for"
                f" {', '.join(missing)}"
            )
        truth[i, [index[n] for n in names_here]] = row.achieved(names_here)
        kinds.append(row.kind(names_here))
    _, clusters = np.unique([r.cluster for r in rows], return_inverse=True)
    rate = float((truth == 1).any(1).mean()) if natural_rate is None else natural_rate
    return Reference(columns, truth, tuple(kinds), clusters.astype(np.int64), rate)

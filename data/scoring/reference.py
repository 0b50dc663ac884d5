"""What judges are scored against, as arrays; here the engine's truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from calm.records import LabelledTransition, Task
from data.parquet import names_of
from data.scoring.metrics import Counts, confusion, resample
from data.stored import outlined_tasks

UNKNOWN = -2
"""In arrays of truth and of answers: there is none, since the subgoal is of another task."""


Answers = npt.NDArray[np.int8]
"""(N, G) int8: 1 yes, 0 no, -1 unreadable (of people: unsure), -2 not asked."""


@dataclass(frozen=True)
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
        """Returns (N,) int8, 1 where any subgoal was achieved, else 0."""
        return np.asarray((self.truth == 1).any(1), dtype=np.int8)

    @property
    def episodes(self) -> int:
        """Returns the number of episodes, K."""
        return int(self.clusters.max()) + 1 if len(self.clusters) else 0

    def counts(self, answers: Answers) -> Counts:
        """Returns (K, 1 + G, 2, 3) counts by episode: "any subgoal" first, then each subgoal."""
        columns = [self._counts(self.any, any_of(answers))]
        for g in range(len(self.names)):
            columns.append(self._counts(self.truth[:, g], answers[:, g]))
        return np.stack(columns, axis=1)

    def exact_counts(self, answers: Answers) -> Counts:
        """Returns (K, 2, 3) counts by episode of "every subgoal right", as if the truth is yes."""
        right = np.where(was_asked(answers), self.right(answers), UNKNOWN)
        return self._counts(np.ones(len(right), np.int8), right.astype(np.int8))

    def right(self, answers: Answers) -> npt.NDArray[np.bool_]:
        """Returns (N,) bool: whether every subgoal was answered rightly."""
        return np.asarray(((answers == self.truth) | (self.truth == UNKNOWN)).all(1))

    def resampled(self, answers: Answers, resamples: int, seed: int) -> Counts:
        """Returns (R, 1 + G, 2, 3) counts of resamples; one seed draws the same for all answers."""
        return resample(self.counts(answers), resamples, np.random.default_rng(seed))

    def resampled_any(self, answers: Answers, resamples: int, seed: int) -> Counts:
        """Returns (R, 2, 3), the "any subgoal" of `resampled` alone."""
        counts = self._counts(self.any, any_of(answers))
        return resample(counts, resamples, np.random.default_rng(seed))

    def resampled_exact(self, answers: Answers, resamples: int, seed: int) -> Counts:
        """Returns (R, 2, 3) `exact_counts` of resamples."""
        return resample(self.exact_counts(answers), resamples, np.random.default_rng(seed))

    def _counts(self, truth: npt.NDArray[np.int8], answer: npt.NDArray[np.int8]) -> Counts:
        """Returns (K, 2, 3) counts of the rows whose truth is known and that were asked about."""
        known = (truth >= 0) & (answer != UNKNOWN)
        return confusion(truth[known], answer[known], self.clusters[known], self.episodes)


def any_of(answers: Answers) -> npt.NDArray[np.int8]:
    """Returns (N,) from (N, G): 1 if any is yes, -1 if none is readable, -2 if none asked, or 0."""
    yes = (answers == 1).any(1)
    unreadable = (answers < 0).all(1) & (answers == -1).any(1)
    values = np.where(yes, 1, np.where(unreadable, -1, 0))
    return np.where(was_asked(answers), values, UNKNOWN).astype(np.int8)


def was_asked(answers: Answers) -> npt.NDArray[np.bool_]:
    """Returns (N,) bool: whether anything was asked about a row."""
    return np.asarray((answers != UNKNOWN).any(1))


def engine_reference(
    rows: Sequence[LabelledTransition],
    tasks: Mapping[str, Task],
    natural_rate: float | None = None,
) -> Reference:
    """Returns the engine's truth about the subgoals of `tasks`.

    Args:
        rows: at least one.
        tasks: of the rows, by id.
        natural_rate: None takes the rows' own share of transitions that achieve something.

    Raises:
        UsageError: no rows, a task without subgoals, a row without the truth of a subgoal.
    """
    if not len(rows):
        raise UsageError("there are no transitions to evaluate on")
    here = outlined_tasks(rows)
    for id in here:
        if id not in tasks or not tasks[id].subgoals:
            raise UsageError(f"no subgoals are given for task {id!r}; name some to ask about")
    names = tuple(names_of({id: tasks[id] for id in here}))
    names_by_task = {id: [s.name for s in tasks[id].subgoals] for id in here}
    index = {name: g for g, name in enumerate(names)}
    classes: dict[tuple[str, bytes], int] = {}
    """Numbers of what rows of a task can have achieved."""
    truths: list[npt.NDArray[np.int8]] = []
    kinds: list[str] = []
    class_of = np.zeros(len(rows), np.int32)
    episodes: dict[str, int] = {}
    """Their numbers, in the order in which they first come."""
    episode_of = np.zeros(len(rows), np.int32)
    for i, row in enumerate(rows):
        names_here = names_by_task[row.transition.task]
        if missing := [n for n in names_here if n not in row.truth]:
            raise UsageError(
                f"episode {row.transition.episode!r} step {row.transition.step} has no truth for"
                f" {', '.join(missing)}"
            )
        key = (row.transition.task, bytes(row.truth[name] for name in names_here))
        if key not in classes:
            classes[key] = len(kinds)
            truths.append(np.full(len(names), UNKNOWN, dtype=np.int8))
            truths[-1][[index[n] for n in names_here]] = row.achieved(names_here)
            kinds.append(row.kind(names_here))
        class_of[i] = classes[key]
        episode_of[i] = episodes.setdefault(row.cluster, len(episodes))
    rank = np.argsort(np.argsort(list(episodes)))
    truth = np.stack(truths)[class_of]
    rate = float((truth == 1).any(1).mean()) if natural_rate is None else natural_rate
    return Reference(names, truth, tuple(map(kinds.__getitem__, class_of)), rank[episode_of], rate)

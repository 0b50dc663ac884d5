"""What people say, as a reference: the class that most of those who labelled a transition gave it.

A label's class is the set of subgoals that its annotator saw achieved. A transition has a truth
where more than half of the sure labels are of one class and enough people were sure; every other
is left out and counted with the reason, never guessed. Intervals draw annotators as well as
episodes: had other people of the same kind labelled, some majorities would be others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from calm.records import NONE, LabelledTransition, Task
from data.schema import Label
from data.scoring.metrics import Counts
from data.scoring.reference import UNKNOWN, Answers, Reference, any_of, was_asked
from data.stored import items_at, outlines

NO_VOTE = -1
NOT_LABELLED = "nobody labelled it"
TOO_FEW = "too few labels"
TOO_UNSURE = "too few were sure"
NO_MAJORITY = "no majority"


@dataclass(frozen=True)
class Votes:
    """The labels of A people about the N rows of a set, as arrays."""

    annotators: tuple[str, ...]
    """(A,) names."""
    classes: npt.NDArray[np.int8]
    """(C, G) 1 achieved, 0 not, -2 not of this task: the truth that each class stands for."""
    kinds: tuple[str, ...]
    """(C,) names of the classes."""
    cast: npt.NDArray[np.int32]
    """(A, N) the class that each chose; -1 where they did not label or were unsure."""
    unsure: npt.NDArray[np.bool_]
    """(A, N) who was unsure."""
    elsewhere: int
    """Labels of transitions that are not among the rows."""
    other_subgoals: int
    """Labels of people who were not offered every subgoal that is asked about; left out."""

    @property
    def labelled(self) -> npt.NDArray[np.int64]:
        """Returns the indices of the rows that somebody labelled, surely or not."""
        return np.flatnonzero(((self.cast != NO_VOTE) | self.unsure).any(0))

    def without(self, annotator: str) -> Votes:
        """Returns the votes of all others."""
        others = [i for i, name in enumerate(self.annotators) if name != annotator]
        names = tuple(self.annotators[i] for i in others)
        return replace(self, annotators=names, cast=self.cast[others], unsure=self.unsure[others])

    def only(self, annotator: str) -> Votes:
        """Returns the votes of one."""
        i = self.annotators.index(annotator)
        return replace(self, annotators=(annotator,), cast=self.cast[[i]], unsure=self.unsure[[i]])

    def of_rows(self, rows: npt.NDArray[np.int64]) -> Votes:
        """Returns the votes about some of the rows, by their indices."""
        return replace(self, cast=self.cast[:, rows], unsure=self.unsure[:, rows])

    def answers(self, annotator: str, like: npt.NDArray[np.int8]) -> Answers:
        """Returns one person's votes as a judge's answers, (N, G) int8.

        Unsure is -1, as unreadable; not labelled is -2.

        Args:
            annotator: whose.
            like: (N, G) with -2 where a subgoal is of another task.
        """
        i = self.annotators.index(annotator)
        answers = np.full(like.shape, UNKNOWN, dtype=np.int8)
        sure = self.cast[i] != NO_VOTE
        answers[sure] = self.classes[self.cast[i][sure]]
        answers[self.unsure[i]] = -1
        return np.where(like == UNKNOWN, UNKNOWN, answers).astype(np.int8)


def count_votes(
    labels: Sequence[Label],
    rows: Sequence[LabelledTransition],
    tasks: Mapping[str, Task],
    names: Sequence[str],
) -> Votes:
    """Returns the labels about some rows as votes, by person.

    Args:
        labels: of anybody; the last one of a person about a transition counts.
        rows: N of them.
        tasks: by id; their `subgoals` are what the votes are about.
        names: (G,) all subgoals, in the order of the arrays' columns.
    """
    ids = {label.id for label in labels}
    places: dict[str, tuple[int, str]] = {}
    """Of the labelled rows by id: index and task."""
    for i, outline in enumerate(outlines(rows)):
        if outline.id in ids:
            places[outline.id] = (i, outline.task)
    column = {name: g for g, name in enumerate(names)}
    annotators = tuple(sorted({label.annotator for label in labels if label.id in places}))
    person = {name: a for a, name in enumerate(annotators)}
    classes: dict[bytes, int] = {}
    truths: list[npt.NDArray[np.int8]] = []
    kinds: list[str] = []
    cast = np.full((len(annotators), len(rows)), NO_VOTE, dtype=np.int32)
    unsure = np.zeros(cast.shape, dtype=bool)
    elsewhere = other_subgoals = 0
    for label in labels:
        if label.id not in places:
            elsewhere += 1
            continue
        i, task = places[label.id]
        names_here = [s.name for s in tasks[task].subgoals]
        if not set(names_here) <= set(label.asked):
            other_subgoals += 1
            continue
        a = person[label.annotator]
        unsure[a, i] = label.unsure
        if label.unsure:
            cast[a, i] = NO_VOTE
            continue
        truth = np.full(len(names), UNKNOWN, dtype=np.int8)
        for name in names_here:
            truth[column[name]] = name in label.achieved
        if truth.tobytes() not in classes:
            classes[truth.tobytes()] = len(truths)
            truths.append(truth)
            kinds.append(" + ".join(n for n in names_here if n in label.achieved) or NONE)
        cast[a, i] = classes[truth.tobytes()]
    return Votes(
        annotators,
        np.array(truths, dtype=np.int8).reshape(len(truths), len(names)),
        tuple(kinds),
        cast,
        unsure,
        elsewhere,
        other_subgoals,
    )


@dataclass(frozen=True)
class PeopleReference(Reference):
    """What the majority of some people say, about the rows on which there is one."""

    rows: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """(N,) which of the set's rows it covers."""
    votes: Votes | None = None
    """Of the rows it covers."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows that it does not cover, by reason."""
    _draws: dict[tuple[int, int], tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def resampled(self, answers: Answers, resamples: int, seed: int) -> Counts:
        """Returns (R, 1 + G, 2, 3) counts of resamples, people drawn as well as episodes."""
        weights, winners = self._drawn(resamples, seed)
        columns = [self.resampled_any(answers, resamples, seed)]
        for g in range(len(self.names)):
            columns.append(self._weigh(self._classes[:, g], answers[:, g], weights, winners))
        return np.stack(columns, axis=1)

    def resampled_any(self, answers: Answers, resamples: int, seed: int) -> Counts:
        """Returns (R, 2, 3), the "any subgoal" of `resampled` alone."""
        any_class = np.asarray((self._classes == 1).any(1), dtype=np.int8)
        return self._weigh(any_class, any_of(answers), *self._drawn(resamples, seed))

    def resampled_exact(self, answers: Answers, resamples: int, seed: int) -> Counts:
        """Returns (R, 2, 3) counts of "every subgoal right", people drawn as well."""
        weights, winners = self._drawn(resamples, seed)
        of = {row.tobytes(): c for c, row in enumerate(self._classes)}
        about_known = np.where(self.truth == UNKNOWN, UNKNOWN, answers).astype(np.int8)
        chosen = np.array([of.get(row.tobytes(), -2) for row in about_known], dtype=np.int64)
        rows_asked = was_asked(answers)
        total = weights[:, rows_asked].sum(1)
        hits = (weights * (winners == chosen))[:, rows_asked].sum(1)
        counts = np.zeros((resamples, 2, 3))
        counts[:, 1, 1], counts[:, 1, 0] = hits, total - hits
        return counts

    @property
    def _classes(self) -> npt.NDArray[np.int8]:
        assert self.votes is not None
        return self.votes.classes

    def _weigh(
        self,
        truth: npt.NDArray[np.int8],
        answer: npt.NDArray[np.int8],
        weights: npt.NDArray[np.float64],
        winners: npt.NDArray[np.int64],
    ) -> Counts:
        """Returns (R, 2, 3) counts of resamples; `truth` (C,) of each class, `answer` (N,)."""
        known = (answer != UNKNOWN)[None, :] & (truth[winners] != UNKNOWN)
        cells = np.stack([answer == 0, answer == 1, answer == -1], axis=1).astype(np.float64)
        counted = weights * known
        yes = (counted * (truth[winners] == 1)) @ cells
        return np.stack([counted @ cells - yes, yes], axis=1)

    def _drawn(
        self, resamples: int, seed: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Returns (R, N) how often each row counts, and (R, N) its class by the drawn people."""
        if (resamples, seed) not in self._draws:
            assert self.votes is not None
            rng = np.random.default_rng(seed)
            k, a = self.episodes, len(self.votes.annotators)
            episodes = rng.multinomial(k, np.full(k, 1 / k), size=resamples).astype(np.float64)
            people = rng.multinomial(a, np.full(a, 1 / a), size=resamples).astype(np.float64)
            winners = winning_class(self.votes, people)
            weights = episodes[:, self.clusters] * (winners != NO_VOTE)
            self._draws[resamples, seed] = weights, np.maximum(winners, 0)
        return self._draws[resamples, seed]


def winning_class(votes: Votes, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Returns (R, N) int64: the class with more than half of the sure votes; -1 where none has.

    Args:
        votes: of A people about N rows.
        weights: (R, A) how often each person's vote counts.
    """
    best = np.zeros((len(weights), votes.cast.shape[1]))
    winner = np.full(best.shape, NO_VOTE, dtype=np.int64)
    total = weights @ (votes.cast != NO_VOTE)
    for c in range(len(votes.classes)):
        count = weights @ (votes.cast == c)
        winner[count > best] = c
        best = np.maximum(best, count)
    winner[2 * best <= total] = NO_VOTE
    return winner


def people_reference(
    votes: Votes,
    rows: Sequence[LabelledTransition],
    names: Sequence[str],
    natural_rate: float,
    min_people: int,
) -> PeopleReference:
    """Returns the majority of some people as a reference.

    Args:
        votes: about `rows`.
        rows: of the set.
        names: (G,) subgoals, the columns of the arrays.
        natural_rate: as `Reference.natural_rate`.
        min_people: how many must have been sure of a row.

    Raises:
        UsageError: no row has a majority; says why each was left out.
    """
    winner = winning_class(votes, np.ones((1, len(votes.annotators))))[0]
    sure = (votes.cast != NO_VOTE).sum(0)
    labelled = sure + votes.unsure.sum(0)
    reasons = np.select(
        [labelled == 0, labelled < min_people, sure < max(1, min_people), winner == NO_VOTE],
        [NOT_LABELLED, TOO_FEW, TOO_UNSURE, NO_MAJORITY],
        "",
    )
    left_out = {str(k): n for k, n in Counter(reasons.tolist()).most_common() if k}
    covered = np.flatnonzero(reasons == "")
    if not len(covered):
        why = ", ".join(f"{n} {reason}" for reason, n in left_out.items())
        also = f"; {votes.elsewhere} labels are of transitions not in this set"
        also += f", {votes.other_subgoals} did not offer the subgoals asked about"
        raise UsageError(
            f"no transition has a majority of people ({why}){also}. --min-people is {min_people}"
        )
    episodes = [row.cluster for row in items_at(rows, covered)]
    _, clusters = np.unique(episodes, return_inverse=True)
    return PeopleReference(
        tuple(names),
        votes.classes[winner[covered]],
        tuple(votes.kinds[c] for c in winner[covered]),
        clusters.astype(np.int64),
        natural_rate,
        covered,
        votes.of_rows(covered),
        left_out,
    )

"""People as rows of the table: against a reference, or each against the majority of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from calm.errors import UsageError
from calm.records import LabelledTransition
from data.scoring.metrics import Counts
from data.scoring.people import NO_VOTE, PeopleReference, Votes, people_reference
from data.scoring.reference import UNKNOWN, Answers, Reference
from data.scoring.score import Counted, Score, score_answers, score_counts

LEAVE_ONE_OUT = "leave-one-out"
"""The row of all people together, each against the majority of the others."""


def people_against(
    reference: Reference,
    votes: Votes,
    reads: Mapping[str, str],
    *,
    resamples: int,
    seed: int,
) -> list[Score]:
    """Returns the score of each person against a reference that does not depend on them.

    `votes` are about the reference's rows.
    """
    scores = []
    for name in votes.annotators:
        answers = votes.answers(name, reference.truth)
        if (answers != UNKNOWN).any():
            scores.append(
                score_answers(
                    name, reads.get(name, ""), reference, answers, resamples=resamples, seed=seed
                )
            )
    return scores


def people_against_each_other(
    votes: Votes,
    rows: Sequence[LabelledTransition],
    names: Sequence[str],
    natural_rate: float,
    min_people: int,
    reads: Mapping[str, str],
    *,
    resamples: int,
    seed: int,
) -> list[Score]:
    """Returns each person's score against the majority of the others, then that of all together.

    The others of a person are one fewer, so one fewer must have been sure of a transition. The
    last row is the human ceiling: the counts of all people added up, with intervals that draw
    people and episodes. Empty with fewer than two people.
    """
    scores: list[Score] = []
    blocks: list[tuple[PeopleReference, Answers]] = []
    for name in votes.annotators if len(votes.annotators) > 1 else ():
        try:
            others = people_reference(
                votes.without(name), rows, names, natural_rate, max(1, min_people - 1)
            )
        except UsageError:  # the others have no majority on any transition
            continue
        own = votes.only(name).of_rows(others.rows)
        answers = own.answers(name, others.truth)
        if not (own.cast != NO_VOTE).any():
            continue
        blocks.append((others, answers))
        scores.append(
            score_answers(
                name, reads.get(name, ""), others, answers, resamples=resamples, seed=seed
            )
        )
    return (
        [*scores, _all_people(blocks, rows, scores, resamples, seed)] if len(scores) > 1 else scores
    )


def _all_people(
    blocks: Sequence[tuple[PeopleReference, Answers]],
    rows: Sequence[LabelledTransition],
    scores: Sequence[Score],
    resamples: int,
    seed: int,
) -> Score:
    """Returns one score from the counts of several people, each with a reference of their own."""
    episodes = sorted({rows[int(i)].cluster for reference, _ in blocks for i in reference.rows})
    place = {episode: k for k, episode in enumerate(episodes)}
    counts, exact = [], []
    for reference, answers in blocks:
        own = np.zeros(reference.episodes, dtype=np.int64)
        for i, k in zip(reference.rows, reference.clusters, strict=True):
            own[k] = place[rows[int(i)].cluster]
        counts.append(_spread(reference.counts(answers), own, len(episodes)))
        exact.append(_spread(reference.exact_counts(answers), own, len(episodes)))
    rng = np.random.default_rng(seed)
    k, a = len(episodes), len(blocks)
    by_episode = rng.multinomial(k, np.full(k, 1 / k), size=resamples).astype(np.float64)
    by_person = rng.multinomial(a, np.full(a, 1 / a), size=resamples).astype(np.float64)

    def drawn(of_all: list[Counts]) -> Counts:
        each = np.stack([np.tensordot(by_episode, one, axes=1) for one in of_all], axis=1)
        return np.asarray(np.einsum("ra...,ra->r...", each, by_person))

    reference = blocks[0][0]
    total = sum(s.n for s in scores)
    return score_counts(
        LEAVE_ONE_OUT,
        "",
        reference.names,
        Counted(np.sum(counts, axis=0), drawn(counts), np.sum(exact, axis=0), drawn(exact)),
        reference.natural_rate,
        n=total,
        unreadable_by_kind={},
        answers=np.zeros((0, len(reference.names)), np.int8),
        right=np.zeros(0, bool),
    )


def _spread(counts: Counts, places: np.ndarray[tuple[int], np.dtype[np.int64]], k: int) -> Counts:
    """Returns counts by episode, (k, ...), each at its place among `k`."""
    out = np.zeros((k, *counts.shape[1:]))
    out[places] = counts
    return out

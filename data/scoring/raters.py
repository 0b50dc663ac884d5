"""Agreement of every rater with every person and with the engine: kappas, and where they differ.

Raters are judges, people and the engine; each gives a transition one class. What a judge could not
be read for, and what a person was unsure of, is left out of a pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from calm.records import LabelledTransition
from data.schema import ENGINE, UNSURE
from data.scoring.kappa import alpha_estimate, cohen_estimate, fleiss_estimate
from data.scoring.metrics import Estimate
from data.scoring.people import NO_VOTE, Votes

Classes = Mapping[int, str]
"""The class that a rater gave a row, by the row's index."""


@dataclass(frozen=True, slots=True)
class RaterPair:
    """Two raters on the transitions that both have classed."""

    rater: str
    other: str
    """A person, or `engine`."""
    n: int
    alike: int
    kappa: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return {
            "rater": self.rater,
            "other": self.other,
            "n": self.n,
            "alike": self.alike,
            "kappa": self.kappa.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class PeopleAndEngine:
    """A transition that at least one person classed otherwise than the engine."""

    row: LabelledTransition
    engine: str
    labels: dict[str, str]
    """Class by person; `unsure` is one."""
    judges: dict[str, str]
    """Class by judge; `unreadable` is one."""


@dataclass(frozen=True, slots=True)
class RaterAgreement:
    """How far judges, people and the engine agree on the transitions of one table."""

    people: tuple[str, ...]
    pairs: list[RaterPair]
    fleiss: Estimate | None
    """Of all people, on the transitions that all of them were sure of; None below two people."""
    fleiss_n: int
    alpha: Estimate | None
    """Krippendorff's, of all people, whoever labelled what; None below two people."""
    alpha_n: int
    """Transitions with two sure labels or more."""
    differences: list[PeopleAndEngine]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return {
            "people": list(self.people),
            "pairs": [pair.to_dict() for pair in self.pairs],
            "fleiss": None if self.fleiss is None else self.fleiss.to_dict() | {"n": self.fleiss_n},
            "alpha": None if self.alpha is None else self.alpha.to_dict() | {"n": self.alpha_n},
            "people_and_engine_differ": len(self.differences),
        }


def rater_agreement(
    votes: Votes,
    rows: Sequence[LabelledTransition],
    engine: Sequence[str],
    judges: Mapping[str, Sequence[str]],
    seed: int = 0,
) -> RaterAgreement:
    """Returns how far judges, people and the engine agree.

    Args:
        votes: of people, about `rows`.
        rows: N transitions.
        engine: (N,) classes by the engine's truth.
        judges: (N,) classes by judge; `unreadable` where there is none.
        seed: of the intervals, which are by episode.
    """
    people = _classes_by_person(votes)
    by_judge = {
        name: {i: kind for i, kind in enumerate(kinds) if kind != "unreadable"}
        for name, kinds in judges.items()
    }
    truth: Classes = dict(enumerate(engine))

    def pair(rater: str, other: str, a: Classes, b: Classes) -> RaterPair:
        shared = [i for i in a if i in b]
        mine, theirs = [a[i] for i in shared], [b[i] for i in shared]
        kappa = cohen_estimate(mine, theirs, [rows[i].cluster for i in shared], seed)
        alike = sum(x == y for x, y in zip(mine, theirs, strict=True))
        return RaterPair(rater, other, len(shared), alike, kappa)

    pairs = []
    for name, classes in (by_judge | people).items():
        pairs.append(pair(name, ENGINE, classes, truth))
        if name in by_judge:
            pairs += [pair(name, person, classes, people[person]) for person in people]
    pairs += [pair(a, b, people[a], people[b]) for a, b in combinations(people, 2)]

    counts = np.stack([(votes.cast == c).sum(0) for c in range(len(votes.classes))], axis=1)
    clusters = [row.cluster for row in rows]
    complete = np.flatnonzero(counts.sum(1) == len(people))
    several = len(people) > 1
    return RaterAgreement(
        tuple(people),
        pairs,
        fleiss_estimate(counts[complete], [clusters[i] for i in complete], seed)
        if several and len(complete)
        else None,
        len(complete),
        alpha_estimate(counts, clusters, seed) if several else None,
        int((counts.sum(1) > 1).sum()),
        list(_differences(votes, rows, engine, judges)),
    )


def _classes_by_person(votes: Votes) -> dict[str, Classes]:
    """Returns the class that each person was sure of, by the row's index."""
    return {
        name: {
            int(i): votes.kinds[votes.cast[a, i]] for i in np.flatnonzero(votes.cast[a] != NO_VOTE)
        }
        for a, name in enumerate(votes.annotators)
    }


def _differences(
    votes: Votes,
    rows: Sequence[LabelledTransition],
    engine: Sequence[str],
    judges: Mapping[str, Sequence[str]],
) -> Iterator[PeopleAndEngine]:
    """Yields the rows that a person who was sure classed otherwise than the engine."""
    people = _classes_by_person(votes)
    for i, kind in enumerate(engine):
        labels = {name: classes[i] for name, classes in people.items() if i in classes}
        if any(other != kind for other in labels.values()):
            labels |= {
                name: UNSURE for a, name in enumerate(votes.annotators) if votes.unsure[a, i]
            }
            answers = {name: kinds[i] for name, kinds in judges.items()}
            yield PeopleAndEngine(rows[i], kind, labels, answers)

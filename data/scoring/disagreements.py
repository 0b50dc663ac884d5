"""Agreement of people with one another and with the engine, and every transition they differ on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from calm.errors import UsageError
from calm.records import LabelledTransition
from data.schema import ENGINE, UNSURE, Label
from data.scoring.kappa import alpha_estimate, cohen_estimate, fleiss_estimate
from data.scoring.metrics import Estimate


@dataclass(frozen=True, slots=True)
class Pair:
    """Two annotators on the transitions both have answered."""

    first: str
    second: str
    n: int
    alike: int
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A transition that was not classed alike by all."""

    id: str
    task: str
    classes: dict[str, str]
    """By annotator, the engine included."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What `calm labels agreement` tells."""

    annotators: dict[str, int]
    """How many transitions of the set each has labelled."""
    unsure: dict[str, int]
    pairs: list[Pair]
    """Every two annotators, then each against the engine."""
    fleiss: Estimate | None
    """Of all people, over what all of them have labelled; None below two."""
    fleiss_n: int
    alpha: Estimate | None
    """Krippendorff's, of all people, whoever labelled what; None below two. Unsure is a class."""
    disagreements: list[Disagreement]
    elsewhere: int
    """Labels of transitions that are not in the set."""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return {
            "annotators": self.annotators,
            "unsure": self.unsure,
            "pairs": [
                {
                    "first": p.first,
                    "second": p.second,
                    "n": p.n,
                    "alike": p.alike,
                    "kappa": p.kappa.to_dict(),
                }
                for p in self.pairs
            ],
            "fleiss": None if self.fleiss is None else self.fleiss.to_dict() | {"n": self.fleiss_n},
            "alpha": None if self.alpha is None else self.alpha.to_dict(),
            "disagreements": [
                {"id": d.id, "task": d.task, "classes": d.classes} for d in self.disagreements
            ],
            "labels_elsewhere": self.elsewhere,
        }


def agreement(labels: Sequence[Label], rows: Sequence[LabelledTransition]) -> Agreement:
    """Returns how far people agree on classes: none, the subgoals achieved, or unsure.

    The engine is classed by the subgoals that the people were offered. "Unsure" is a class like
    any other among people; against the engine, unsure answers are left out, since it never is.

    Raises:
        UsageError: no label is of a transition of `rows`, or an annotator is called `engine`.
    """
    by_id = {r.transition.id: r for r in rows}
    labels_here = [label for label in labels if label.id in by_id]
    if not labels_here:
        raise UsageError("none of the labels is of a transition of this set; is it the right one?")
    if any(label.annotator == ENGINE for label in labels_here):
        raise UsageError(f"an annotator is called {ENGINE!r}; that name is the engine's own")
    classes_by: dict[str, dict[str, str]] = {}
    offered: dict[str, tuple[str, ...]] = {}
    for label in labels_here:
        classes_by.setdefault(label.annotator, {})[label.id] = label.kind()
        offered[label.id] = label.asked
    truth = {
        id: by_id[id].kind([n for n in names if n in by_id[id].truth])
        for id, names in offered.items()
    }
    people = sorted(classes_by)
    clusters = {id: by_id[id].cluster for id in truth}
    pairs = [
        _pair((a, b), classes_by[a], classes_by[b], clusters) for a, b in combinations(people, 2)
    ]
    for name in people:
        sure = {id: kind for id, kind in classes_by[name].items() if kind != UNSURE}
        pairs.append(_pair((name, ENGINE), sure, truth, clusters))
    shared = [id for id in truth if all(id in classes_by[p] for p in people)]
    classes = sorted({classes_by[p][id] for p in people for id in shared})
    ratings = np.array(
        [[sum(classes_by[p][id] == c for p in people) for c in classes] for id in shared],
        dtype=np.int64,
    ).reshape(len(shared), len(classes))
    enough = len(people) > 1 and shared
    return Agreement(
        {p: len(classes_by[p]) for p in people},
        {p: Counter(classes_by[p].values())[UNSURE] for p in people},
        pairs,
        fleiss_estimate(ratings, [clusters[id] for id in shared]) if enough else None,
        len(shared),
        _alpha(classes_by, list(truth), list(clusters.values())),
        list(_disagreements(classes_by, truth, by_id)),
        len(labels) - len(labels_here),
    )


def _pair(
    names: tuple[str, str], a: Mapping[str, str], b: Mapping[str, str], clusters: Mapping[str, str]
) -> Pair:
    """Returns how far two annotators agree on the transitions that both have classed.

    Args:
        a, b: class by transition, of the first and of the second.
        clusters: episode by transition.
    """
    ids = [id for id in a if id in b]
    alike = sum(a[id] == b[id] for id in ids)
    kappa = cohen_estimate([a[i] for i in ids], [b[i] for i in ids], [clusters[i] for i in ids])
    return Pair(*names, len(ids), alike, kappa)


def _disagreements(
    classes_by: Mapping[str, Mapping[str, str]],
    truth: Mapping[str, str],
    by_id: Mapping[str, LabelledTransition],
) -> Iterator[Disagreement]:
    """Yields the transitions that people and the engine do not all class alike."""
    for id, kind in truth.items():
        classes = {name: of[id] for name, of in sorted(classes_by.items()) if id in of}
        classes[ENGINE] = kind
        if len(set(classes.values())) > 1:
            yield Disagreement(id, by_id[id].transition.task, classes)


def _alpha(
    classes_by: Mapping[str, Mapping[str, str]], ids: Sequence[str], clusters: Sequence[str]
) -> Estimate | None:
    """Returns Krippendorff's alpha of people over what any of them has labelled; None below two."""
    if len(classes_by) < 2:
        return None
    classes = sorted({kind for of in classes_by.values() for kind in of.values()})
    ratings = np.array(
        [[sum(of.get(id) == c for of in classes_by.values()) for c in classes] for id in ids],
        dtype=np.int64,
    )
    return alpha_estimate(ratings, clusters)

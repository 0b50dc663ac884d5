"""Agreement of people with one another and with the engine, and every transition they differ on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from calm.errors import UsageError
from calm.records import LabelledTransition
from data.schema import ENGINE, Label
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

    def pair(first: str, second: str, a: dict[str, str], b: dict[str, str]) -> Pair:
        ids = [id for id in a if id in b]
        mine, theirs = [a[id] for id in ids], [b[id] for id in ids]
        kappa = cohen_estimate(mine, theirs, [by_id[id].cluster for id in ids])
        return Pair(
            first,
            second,
            len(ids),
            sum(x == y for x, y in zip(mine, theirs, strict=True)),
            kappa,
        )

    pairs = [pair(a, b, classes_by[a], classes_by[b]) for a, b in combinations(people, 2)]
    for name in people:
        sure = {id: kind for id, kind in classes_by[name].items() if kind != "unsure"}
        pairs.append(pair(name, ENGINE, sure, truth))
    shared = [id for id in truth if all(id in classes_by[p] for p in people)]
    classes = sorted({classes_by[p][id] for p in people for id in shared})
    ratings = np.array(
        [[sum(classes_by[p][id] == c for p in people) for c in classes] for id in shared],
        dtype=np.int64,
    ).reshape(len(shared), len(classes))
    enough = len(people) > 1 and shared
    disagreements = []
    for id, kind in truth.items():
        of = {p: classes_by[p][id] for p in people if id in classes_by[p]} | {ENGINE: kind}
        if len(set(of.values())) > 1:
            disagreements.append(Disagreement(id, by_id[id].transition.task, of))
    return Agreement(
        {p: len(classes_by[p]) for p in people},
        {p: Counter(classes_by[p].values())["unsure"] for p in people},
        pairs,
        fleiss_estimate(ratings, [by_id[id].cluster for id in shared]) if enough else None,
        len(shared),
        _alpha(classes_by, list(truth), [by_id[id].cluster for id in truth]),
        disagreements,
        len(labels) - len(labels_here),
    )


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

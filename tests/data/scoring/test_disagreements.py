"""Agreement of people and the engine, on a set small enough to count."""

from __future__ import annotations

import numpy as np
import pytest

from calm.errors import UsageError
from calm.records import LabelledTransition, Transition
from data.schema import Label
from data.scoring.disagreements import agreement

NAMES = ("key", "door")
KINDS = ["key", "door", "none", "none", "key"]


def row(i: int, kind: str) -> LabelledTransition:
    truth = {n: n == kind for n in NAMES} | {"stairs": False}
    return LabelledTransition(Transition("room", {"events": f"{kind} {i}"}, "a", f"e{i}"), truth)


ROWS = [row(i, kind) for i, kind in enumerate(KINDS)]


def labels(who: str, kinds: list[str]) -> list[Label]:
    return [
        Label(r.transition.id, who, (k,) if k in NAMES else (), NAMES, k == "unsure")
        for r, k in zip(ROWS, kinds, strict=False)
    ]


def test_pairs_engine_and_disagreements() -> None:
    # ann agrees with the engine throughout; bob misses the last key and is unsure of the door.
    result = agreement(
        labels("ann", KINDS) + labels("bob", ["key", "unsure", "none", "none", "none"]), ROWS
    )
    pairs = {(p.first, p.second): p for p in result.pairs}
    assert list(pairs) == [("ann", "bob"), ("ann", "engine"), ("bob", "engine")]
    assert (pairs["ann", "engine"].n, pairs["ann", "engine"].kappa.value) == (5, 1.0)
    # bob and the engine without the unsure one: key/key, none/none twice, none/key.
    # p_o = 3/4, p_e = 1/4 * 2/4 + 3/4 * 2/4 = 1/2
    assert pairs["bob", "engine"].n == 4
    assert pairs["bob", "engine"].kappa.value == pytest.approx(0.5)
    assert pairs["ann", "bob"].alike == 3
    assert result.unsure == {"ann": 0, "bob": 1}
    assert [d.classes for d in result.disagreements] == [
        {"ann": "door", "bob": "unsure", "engine": "door"},
        {"ann": "key", "bob": "none", "engine": "key"},
    ]
    assert result.fleiss is not None
    assert result.fleiss_n == 5
    # P = (1 + 0 + 1 + 1 + 0) / 5; p: key 3, door 1, none 5, unsure 1 of 10 -> sum p^2 = .36
    assert result.fleiss.value == pytest.approx((0.6 - 0.36) / (1 - 0.36))


def test_one_person_alone_has_no_fleiss() -> None:
    result = agreement(labels("ann", KINDS[:3]), ROWS)
    assert result.fleiss is None
    assert result.annotators == {"ann": 3}
    assert result.to_dict()["pairs"][0]["second"] == "engine"


def test_people_who_share_nothing_have_no_kappa() -> None:
    """ann is sure of nothing, and bob has labelled what she has not: no pair but bob's engine."""
    result = agreement([*labels("ann", ["unsure"] * 2), *labels("bob", KINDS)[2:]], ROWS)
    shown = [(p.first, p.second, p.n, p.alike, np.isnan(p.kappa.value)) for p in result.pairs]
    assert shown == [
        ("ann", "bob", 0, 0, True),
        ("ann", "engine", 0, 0, True),
        ("bob", "engine", 3, 3, False),
    ]
    assert (result.fleiss, result.fleiss_n) == (None, 0)
    assert result.to_dict()["pairs"][0]["kappa"] == {"value": None, "low": None, "high": None}
    assert result.unsure == {"ann": 2, "bob": 0}


def test_labels_of_other_sets_are_counted_not_used() -> None:
    other = Label("elsewhere", "ann", (), NAMES)
    assert agreement([*labels("ann", KINDS), other], ROWS).elsewhere == 1
    with pytest.raises(UsageError, match="none of the labels"):
        agreement([other], ROWS)
    with pytest.raises(UsageError, match="the engine's own"):
        agreement(labels("engine", KINDS), ROWS)

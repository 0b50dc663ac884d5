"""Everybody's agreement with everybody, on what both have classed."""

import pytest

from data.scoring.people import count_votes
from data.scoring.raters import rater_agreement
from tests.support.key_and_door import DOOR, KEY, TASK, key_and_door_rows, label

ROWS = key_and_door_rows(4)
NAMES = (KEY.name, DOOR.name)
ENGINE = [KEY.name, DOOR.name, "none", KEY.name]
LABELS = [
    *(label(ROWS[i], "ann", *([k] if k in NAMES else [])) for i, k in enumerate(ENGINE)),
    label(ROWS[0], "bob", KEY.name),
    label(ROWS[1], "bob"),
    label(ROWS[2], "bob", unsure=True),
]
JUDGES = {"m": [KEY.name, "unreadable", "none", "none"]}


def test_pairs_leave_out_what_one_of_them_did_not_class() -> None:
    votes = count_votes(LABELS, ROWS, {TASK.id: TASK}, NAMES)
    agreement = rater_agreement(votes, ROWS, ENGINE, JUDGES)
    pairs = {(p.rater, p.other): (p.n, p.alike) for p in agreement.pairs}
    assert pairs == {
        ("m", "engine"): (3, 2), ("m", "ann"): (3, 2), ("m", "bob"): (1, 1),
        ("ann", "engine"): (4, 4), ("bob", "engine"): (2, 1), ("ann", "bob"): (2, 1),
    }  # fmt: skip
    kappa = next(p.kappa.value for p in agreement.pairs if p.rater == "m" and p.other == "engine")
    # Of key, none, key and key, none, none: p_o 2/3, p_e 1/3 * 2/3 + 2/3 * 1/3.
    assert kappa == pytest.approx((2 / 3 - 4 / 9) / (1 - 4 / 9))
    assert (agreement.fleiss_n, agreement.alpha_n) == (2, 2)
    [difference] = agreement.differences
    assert difference.row == ROWS[1]
    assert (difference.engine, difference.labels) == (
        DOOR.name, {"ann": DOOR.name, "bob": "none"},
    )  # fmt: skip
    assert difference.judges == {"m": "unreadable"}
    value = agreement.to_dict()
    assert (value["people"], value["people_and_engine_differ"]) == (["ann", "bob"], 1)


def test_one_person_has_no_fleiss() -> None:
    votes = count_votes(LABELS[:4], ROWS, {TASK.id: TASK}, NAMES)
    agreement = rater_agreement(votes, ROWS, ENGINE, {})
    assert (agreement.fleiss, agreement.alpha, agreement.differences) == (None, None, [])

"""People as rows of the table: against the engine, and against one another."""

import pytest

from data.scoring.leave_one_out import LEAVE_ONE_OUT, people_against, people_against_each_other
from data.scoring.people import count_votes
from data.scoring.reference import engine_reference
from tests.support.key_and_door import DOOR, KEY, TASK, key_and_door_rows, label

NAMES = (KEY.name, DOOR.name)
ROWS = key_and_door_rows(6)
TASKS = {TASK.id: TASK}


def _true(i: int) -> list[str]:
    return [n for n, yes in ROWS[i].truth.items() if yes]


LABELS = [
    *(label(row, "ann", *_true(i)) for i, row in enumerate(ROWS)),
    *(label(row, "bob", *_true(i)) for i, row in enumerate(ROWS[:3])),
    *(label(row, "cat", unsure=i == 0) for i, row in enumerate(ROWS[:2])),
]
VOTES = count_votes(LABELS, ROWS, TASKS, NAMES)


def test_each_person_is_scored_on_what_they_labelled() -> None:
    reads = {"ann": "screens"}
    scores = people_against(engine_reference(ROWS, TASKS), VOTES, reads, resamples=20, seed=0)
    assert [(s.judge, s.mode, s.n) for s in scores] == [
        ("ann", "screens", 6), ("bob", "", 3), ("cat", "", 2),
    ]  # fmt: skip
    ann, _, cat = scores
    assert ann.metrics["exact"].value == 1
    # Cat was unsure of a key and said none to a door: never right, once unreadable.
    assert cat.metrics["exact"].value == 0
    assert cat.metrics["unreadable"].value == 0.5


def test_each_person_against_the_majority_of_the_others_then_all_together() -> None:
    scores = people_against_each_other(VOTES, ROWS, NAMES, 0.5, 2, {}, resamples=20, seed=0)
    # Ann against bob and cat: rows 0 (bob alone is sure) and 2 (bob alone) have a majority, row 1
    # has one vote each. Bob and cat against the others likewise.
    by_name = {s.judge: s for s in scores}
    assert list(by_name) == ["ann", "bob", "cat", LEAVE_ONE_OUT]
    assert (by_name["ann"].n, by_name["ann"].metrics["exact"].value) == (2, 1.0)
    assert by_name[LEAVE_ONE_OUT].n == sum(by_name[n].n for n in ("ann", "bob", "cat"))
    right = sum(by_name[n].metrics["exact"].value * by_name[n].n for n in ("ann", "bob", "cat"))
    together = by_name[LEAVE_ONE_OUT].metrics["exact"].value
    assert together == pytest.approx(right / by_name[LEAVE_ONE_OUT].n)


def test_one_person_has_no_others() -> None:
    alone = VOTES.only("ann")
    args = (ROWS, NAMES, 0.5, 1, {})
    assert people_against_each_other(alone, *args, resamples=20, seed=0) == []

"""A draw keeps the shares of the classes, whatever the order of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from calm.records import Judgement, LabelledTransition, Subgoal, Task, Transition, Verdict
from data.dataset import load
from data.parquet import Transitions, write_transitions
from data.sampling import draw, draw_disputed, draw_even
from data.schema import JudgedTransition
from data.stored import StoredRows, open_part

TASK = Task("room", "Out.", (Subgoal("key", "…"), Subgoal("door", "…")))


def part(**sizes: int) -> Transitions:
    """Rows sorted by class, as the packaged sets are."""
    kinds = [kind for kind, n in sizes.items() for _ in range(n)]
    rows = [
        LabelledTransition(
            Transition("room", {"events": f"{i}"}, "wait", "e", i),
            {"key": kind == "key", "door": kind == "door"},
        )
        for i, kind in enumerate(kinds)
    ]
    return Transitions(rows, {"room": TASK})


def classes(rows: Sequence[LabelledTransition]) -> Counter[str]:
    return Counter(r.kind(["key", "door"]) for r in rows)


@pytest.mark.parametrize("seed", range(5))
def test_every_class_keeps_its_share_to_a_row(seed: int) -> None:
    everything = part(key=10, door=20, none=70)
    drawn = classes(draw(everything, 30, seed))
    assert drawn.total() == 30
    for kind, share in {"key": 3, "door": 6, "none": 21}.items():
        assert abs(drawn[kind] - share) <= 1


def test_a_larger_draw_holds_the_smaller_and_another_seed_draws_others() -> None:
    everything = part(key=10, door=20, none=70)
    ids = {n: {r.transition.id for r in draw(everything, n)} for n in (7, 30, 99)}
    assert ids[7] < ids[30] < ids[99]
    assert {r.transition.id for r in draw(everything, 30, 1)} != ids[30]
    assert draw(everything, 0) == draw(everything, 100) == draw(everything, 200) == everything.rows


def test_the_order_of_the_rows_decides_nothing() -> None:
    everything = part(key=3, none=5)
    turned = Transitions(everything.rows[::-1], everything.tasks)
    assert draw(turned, 4) == draw(everything, 4)[::-1]


def test_the_papers_design_stays_even() -> None:
    """256 rows sorted by class: none of the first 60 achieves nothing."""
    balanced = load("keyroom-v1").part("balanced")
    names = [s.name for s in next(iter(balanced.tasks.values())).subgoals]
    assert "none" not in {r.kind(names) for r in balanced.rows[:60]}
    drawn = Counter(r.kind(names) for r in draw(balanced, 60))
    assert len(drawn) == 3
    assert max(drawn.values()) - min(drawn.values()) <= 3


def test_an_even_draw_gives_rare_classes_as_many_rows() -> None:
    everything = part(key=3, door=20, none=70)
    assert classes(draw_even(everything, 30)) == {"key": 3, "door": 13, "none": 14} or classes(
        draw_even(everything, 30)
    ) == {"key": 3, "door": 14, "none": 13}
    assert classes(draw_even(everything, 9)) == {"key": 3, "door": 3, "none": 3}


def test_what_judges_differ_on_comes_first() -> None:
    everything = part(key=2, none=4)
    key, none = {"key": True, "door": False}, {"key": False, "door": False}
    answered = [
        (key, key, key),
        (key, key, none),
        (none, none, none),
        (none,),
        (key, none, key),
        (),
    ]
    answers = [
        JudgedTransition(row.transition.id, f"judge {j}", "events", Judgement(Verdict.OK, achieved))
        for row, of in zip(everything.rows, answered, strict=True)
        for j, achieved in enumerate(of)
    ]
    drawn = draw_disputed(everything, 2, answers)
    assert drawn == [everything.rows[1], everything.rows[4]]
    # An unreadable answer differs from any other.
    lost = Judgement(Verdict.INVALID)
    first = everything.rows[0].transition.id
    answers += [JudgedTransition(first, f"judge {j}", "events", lost) for j in (3, 4, 5)]
    assert draw_disputed(everything, 1, answers) == [everything.rows[0]]


@pytest.mark.parametrize("drawing", [draw, draw_even])
def test_rows_of_a_file_that_is_not_in_memory_are_drawn_alike(
    drawing: Callable[..., Sequence[LabelledTransition]], tmp_path: Path
) -> None:
    everything = part(key=10, door=20, none=70)
    write_transitions(tmp_path / "t.parquet", everything.rows, everything.tasks)
    stored = open_part(tmp_path / "t.parquet", in_memory=0)
    for limit in (1, 7, 30, 99, 100):
        for seed in (0, 3):
            rows = drawing(stored, limit, seed)
            assert isinstance(rows, StoredRows)
            assert list(rows) == drawing(everything, limit, seed)

"""What one annotator labels, in which order, and what is shown of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from calm.records import Screen
from data.label.session import Session, labels_order, shown, step_view
from data.label.store import LabelStore
from tests.support.key_and_door import KEY, TASK, key_and_door_rows, label

ROWS = key_and_door_rows(6)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session("ann", ROWS, {TASK.id: TASK}, LabelStore(tmp_path / "l.sqlite"))


def test_each_annotator_has_an_order_of_their_own(session: Session) -> None:
    ids = [row.transition.id for row in ROWS]
    assert [row.transition.id for row in session.order] == labels_order("ann", ids)
    assert labels_order("ann", ids) == labels_order("ann", reversed(ids))
    assert labels_order("ann", ids) != labels_order("bob", ids)


def test_the_next_one_is_the_first_without_an_answer(session: Session) -> None:
    first, second = session.order[:2]
    assert session.next() == first
    session.store.merge([label(first, "ann", KEY.name), label(second, "bob")])
    assert session.next() == second
    assert session.done() == {first.transition.id}
    assert [one["kind"] for one in session.answered()] == [KEY.name]
    session.store.merge([label(row, "ann") for row in session.order[1:]])
    assert session.next() is None
    assert session.view(None)["done"] == 6


def test_a_view_holds_no_truth(session: Session) -> None:
    row = ROWS[0]
    session.store.merge([label(row, "ann", KEY.name)])
    view = session.view(row, notice="n")
    assert (view["answered"], view["total"], view["notice"]) == (KEY.name, 6, "n")
    assert [(key, s.name) for key, s in view["subgoals"]] == list(
        zip("12", (s.name for s in TASK.subgoals), strict=True)
    )
    assert view["text"] == row.transition.texts["screen"]
    assert not {"truth", "episode", "player"} & set(view)


def test_screens_are_shown_where_there_are_any() -> None:
    screen = Screen("ab", "77")
    row = replace(ROWS[0], before=screen, after=screen)
    assert (shown(row), shown(ROWS[0])) == ("screens", "screen")
    assert step_view(row, TASK)["text"] is None
    ended = replace(row, transition=replace(row.transition, truncated=True))
    assert step_view(ended, TASK)["ended"] == "ran out of time"

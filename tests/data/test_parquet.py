"""What is written is read back, and files that are not what they claim are refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import data.parquet as tables
from calm.errors import UsageError
from calm.records import (
    LabelledTransition,
    Screen,
    Subgoal,
    Task,
    Transition,
)
from data.schema import Label, label_of, label_row

KEY = Subgoal("pick up the key", "The key enters the inventory.")
DOOR = Subgoal("open the door", "A closed door becomes an open one.")
TASK = Task("MiniHack-KeyRoom-S5-v0", "Take the key.", (KEY, DOOR), ("north", "apply"), "+ door")


def row(step: int = 0, key: bool = False, door: bool = False, **texts: str) -> LabelledTransition:
    return LabelledTransition(
        Transition(TASK.id, texts or {"events": f"{step}\n{key} {door}"}, "apply", "e1", step),
        {KEY.name: key, DOOR.name: door},
        {"level_seed": 7, "player": "random", "versions": "nle 1.3.0", "epsilon": "0.5"},
        Screen("ab\ncd", "70\n7f"),
        None,
    )


def test_transitions_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [row(0, key=True), row(1, screen="{}\x1b<é>", crop="", events="."), row(2)]
    tables.write_transitions(tmp_path / "t.parquet", rows, {TASK.id: TASK})
    read = tables.read_transitions(tmp_path / "t.parquet")
    assert read.rows == rows
    assert read.tasks == {TASK.id: TASK}
    assert tables.names_of(read.tasks) == [KEY.name, DOOR.name]


@pytest.mark.parametrize(
    ("task", "truth"),
    [
        (replace(TASK, id="Mini\x1b[2JHack"), {}),
        (replace(TASK, subgoals=(replace(KEY, name="up\x07"), DOOR)), {"up\x07": True}),
        (TASK, {"\x9b1m": False}),
    ],
)
def test_names_that_a_terminal_would_obey_are_refused(
    task: Task, truth: dict[str, bool], tmp_path: Path
) -> None:
    made = row()
    made = replace(
        made, transition=replace(made.transition, task=task.id), truth={**made.truth, **truth}
    )
    tables.write_transitions(tmp_path / "t.parquet", [made], {task.id: task})
    with pytest.raises(UsageError, match=r"the name '.*\\x.*' holds control characters"):
        tables.read_transitions(tmp_path / "t.parquet")


def test_same_rows_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        tables.write_transitions(tmp_path / name, [row(i) for i in range(5)], {TASK.id: TASK})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_labels_come_back(tmp_path: Path) -> None:
    labels = [Label("ab" * 32, "ann", (KEY.name,), (KEY.name, DOOR.name), False, 1.5, "2026-01-02")]
    tables.write_labels(tmp_path / "l.parquet", labels)
    assert tables.read_labels(tmp_path / "l.parquet") == labels


@given(st.lists(st.sampled_from("abc"), unique=True), st.booleans())
def test_a_label_is_its_row(achieved: list[str], unsure: bool) -> None:
    label = Label("id", "ann", tuple(achieved), ("a", "b", "c"), unsure)
    assert label_of(label_row(label)) == label


def test_kinds() -> None:
    names = [KEY.name, DOOR.name]
    assert row(key=True).kind(names) == KEY.name
    assert row().kind(names) == "none"
    assert row(key=True).kind([*names, "a subgoal of one's own, without truth"]) == KEY.name
    assert row(key=True, door=True).kind(names) == f"{KEY.name} + {DOOR.name}"
    assert row(door=True).achieved(names).tolist() == [0, 1]
    assert Label("i", "a", (), ("a",), unsure=True).kind() == "unsure"
    assert Label("i", "a", ("b",), ("a", "b")).kind() == "b"


def test_refuses_rows_without_truth_or_task(tmp_path: Path) -> None:
    blind = replace(row(), truth={KEY.name: True})
    with pytest.raises(UsageError, match=r"column truth: .* does not say open the door"):
        tables.write_transitions(tmp_path / "t", [row(), blind], {TASK.id: TASK})
    with pytest.raises(UsageError, match="no task given"):
        tables.write_transitions(tmp_path / "t", [row()], {})
    assert list(tmp_path.iterdir()) == []


def test_a_subgoal_may_have_no_truth_in_any_row(tmp_path: Path) -> None:
    blind = replace(row(), truth={KEY.name: True})
    tables.write_transitions(tmp_path / "t", [blind], {TASK.id: TASK})
    (read,) = tables.read_transitions(tmp_path / "t").rows
    assert read.truth == {KEY.name: True}

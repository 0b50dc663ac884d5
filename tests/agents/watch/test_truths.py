"""What sets and people say of a description: counted by text, and of no text that is in no set."""

from pathlib import Path

import pytest

from agents.watch.truths import KnownTruths, Share
from calm.errors import UsageError
from tests.support.watched import NAMES, TASK, TEXTS, write_people, write_set

KEY, DOOR = NAMES


def test_a_text_has_the_truth_of_its_transitions(tmp_path: Path) -> None:
    write_set(tmp_path / "set.parquet")
    truths = KnownTruths([str(tmp_path / "set.parquet")])
    assert truths.shares("engine", TASK.id, TEXTS[0]) == {KEY: Share(1, 1), DOOR: Share(0, 1)}
    assert truths.shares("engine", TASK.id, "Something else.") == {}
    assert truths.shares("engine", "another task", TEXTS[0]) == {}
    assert truths.shares("people", TASK.id, TEXTS[0]) == {}
    assert truths.known([TASK.id]) == ["engine"]
    assert truths.known(["another task"]) == []
    assert [task.goal for task in truths.tasks] == [TASK.goal]


def test_people_are_counted_and_who_is_unsure_is_not(tmp_path: Path) -> None:
    write_set(tmp_path / "set.parquet")
    write_people(tmp_path / "labels.sqlite")
    before = (tmp_path / "labels.sqlite").read_bytes()
    truths = KnownTruths([str(tmp_path / "set.parquet")], [tmp_path / "labels.sqlite"])
    assert truths.known([TASK.id]) == ["engine", "people"]
    assert truths.shares("people", TASK.id, TEXTS[0]) == {KEY: Share(0, 2), DOOR: Share(0, 2)}
    assert truths.shares("people", TASK.id, TEXTS[1]) == {KEY: Share(0, 1), DOOR: Share(1, 1)}
    assert (tmp_path / "labels.sqlite").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.sqlite", "set.parquet"]


def test_an_answer_is_wrong_of_most_and_of_a_half_neither_right_nor_wrong() -> None:
    assert [Share(2, 3).denies(True), Share(2, 3).denies(False)] == [False, True]
    assert [Share(1, 3).denies(True), Share(1, 3).denies(False)] == [True, False]
    assert not any(Share(1, 2).denies(answer) for answer in (True, False))


def test_the_packaged_sets_are_known_by_themselves() -> None:
    assert KnownTruths().known(["MiniHack-KeyRoom-S5-v0"]) == ["engine"]
    with pytest.raises(UsageError, match="keyroom-v2"):
        KnownTruths(["keyroom-v2"])

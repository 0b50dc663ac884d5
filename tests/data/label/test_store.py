"""No label is lost, none counts twice, and other people's files are left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from calm.errors import UsageError
from data.label.store import LabelStore
from data.schema import Label
from tests.support.processes import line, python

KEY = Label("t1", "ann", ("key",), ("key", "door"), False, 1.5, "2026-01-01T00:00:00+00:00")
DOOR = replace(KEY, id="t2", achieved=("door",))


def test_an_answer_given_again_replaces_the_one_before(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "l.sqlite") as store:
        store.add(KEY, "n1")
        store.add(DOOR, "n2")
        again = replace(KEY, achieved=(), unsure=True)
        store.add(again, "n3")
        assert store.labels() == [DOOR, again]
        assert store.labels("someone else") == []


def test_a_retry_is_not_a_second_answer(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "l.sqlite") as store:
        store.add(KEY, "n1")
        store.add(DOOR, "n2")
        store.add(KEY, "n1")
        assert store.undo("ann") == "t2"
        assert store.labels() == [KEY]


def test_undo_takes_back_ones_own_last_answer_step_by_step(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "l.sqlite") as store:
        store.add(KEY, "n1")
        store.add(DOOR, "n2")
        other = replace(KEY, annotator="bob")
        store.add(other, "n3")
        changed = replace(KEY, achieved=())
        store.add(changed, "n4")
        assert store.undo("ann") == "t1"
        assert store.labels("ann") == [KEY, DOOR]
        assert [store.undo("ann"), store.undo("ann"), store.undo("ann")] == ["t2", "t1", None]
        assert store.labels() == [other]


def test_merging_twice_changes_nothing(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "l.sqlite") as store:
        store.add(KEY, "n1")
        assert store.merge([KEY, DOOR, replace(DOOR, annotator="bob")]) == 2
        assert store.merge([KEY, DOOR, replace(DOOR, annotator="bob")]) == 0
        assert len(store.labels()) == 3


def test_leaves_what_is_not_a_file_of_labels_as_it_is(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but somebody's notes " * 50)
    with pytest.raises(UsageError, match=r"notes\.txt: cannot be used"):
        LabelStore(text)
    assert text.read_text().startswith("not a database")
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    with pytest.raises(UsageError, match="another program's database"):
        LabelStore(other)


KILLED = """
import sys
from data.label.store import LabelStore
from data.schema import Label
store = LabelStore(sys.argv[1])
for i in range(1000):
    store.add(Label(f"t{i}", "ann", (), ("key",)), f"n{i}")
    print(i, flush=True)
"""


def test_a_killed_server_loses_nothing_it_said_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with python("-c", KILLED, path) as child:
        lines = [line(child) for _ in range(20)]
        child.kill()
        assert child.stdout is not None
        rest = child.stdout.read().splitlines()
    with LabelStore(path) as store:
        assert len(store.labels()) >= len(lines) + len(rest)


def test_the_file_alone_holds_every_label_however_the_program_ended(tmp_path: Path) -> None:
    """A copy of the one file, with the store still open, is all there is to copy."""
    with LabelStore(tmp_path / "l.sqlite") as store:
        store.add(KEY, "n1")
        assert [p.name for p in tmp_path.iterdir()] == ["l.sqlite"]
        (tmp_path / "copy.sqlite").write_bytes((tmp_path / "l.sqlite").read_bytes())
        with LabelStore(tmp_path / "copy.sqlite") as copy:
            assert copy.labels() == [KEY]


def test_labels_in_the_log_of_an_earlier_release_come_into_the_file(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with LabelStore(path) as store:
        store.add(KEY, "n1")
    old = sqlite3.connect(path)
    assert old.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    old.close()
    with LabelStore(path) as store:
        store.add(DOOR, "n2")
        assert store.labels() == [KEY, DOOR]
        assert [p.name for p in tmp_path.iterdir()] == ["l.sqlite"]


def test_a_value_that_the_file_cannot_take_is_an_error_and_not_dropped(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "l.sqlite") as store:
        with pytest.raises(sqlite3.IntegrityError):
            store.add(replace(KEY, seconds=float("nan")), "n1")
        store.add(KEY, "n1")
        assert store.labels() == [KEY]


def test_who_only_reads_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with LabelStore(path) as store:
        store.add(KEY, "n1")
    with closing(sqlite3.connect(path)) as old:  # of an earlier release
        for name in ("reads", "set", "page"):
            old.execute(f'ALTER TABLE answers DROP COLUMN "{name}"')
    before = path.read_bytes()
    with LabelStore(path, readonly=True) as store:
        assert [label.achieved for label in store.labels()] == [KEY.achieved]
        with pytest.raises(sqlite3.OperationalError):
            store.add(DOOR, "n2")
    assert path.read_bytes() == before
    with pytest.raises(UsageError, match="cannot be used"):
        LabelStore(tmp_path / "none.sqlite", readonly=True)
    assert [p.name for p in tmp_path.iterdir()] == ["l.sqlite"]
    with closing(sqlite3.connect(tmp_path / "empty.sqlite")) as empty:
        empty.execute("PRAGMA user_version = 0")
    with pytest.raises(UsageError, match="holds no labels"):
        LabelStore(tmp_path / "empty.sqlite", readonly=True)

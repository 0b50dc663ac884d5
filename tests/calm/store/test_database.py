"""The file behind the store: shared, migrated, and never overwritten by what can't be read."""

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from calm.endpoint.envelope import Call, Reply
from calm.errors import StoreError
from calm.records import Subgoal
from calm.store.question import Context, Question
from calm.store.schema import MIGRATIONS
from calm.store.store import Store
from tests.support.processes import python
from tests.support.small_disk import allow_reading_only, mounted

CONTEXT = Context("T", (Subgoal("a", "A."),), "m")


def _keep(store: Store, text: str, raw: str = "{}") -> bytes:
    """Keeps an answer about `text`; returns its key."""
    question = Question(CONTEXT.key(text), text)
    store.record(CONTEXT, "http://e/v1", Call(1.0, 0.5, reply=Reply(raw)), [question])
    return question.key


def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "transitions.parquet"
    path.write_text("not a database, but somebody's data")
    with pytest.raises(StoreError, match=r"transitions.parquet is not a database; name another"):
        Store(path)
    assert [f.name for f in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "not a database, but somebody's data"


def test_an_empty_file_is_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite").touch()
    with Store(tmp_path / "s.sqlite") as store:
        _keep(store, "x")


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE diary (day TEXT)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program's"):
        Store(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(StoreError, match="upgrade calm"):
        Store(path)


def test_an_older_schema_is_brought_up_to_date_and_keeps_its_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        key = _keep(store, "x")
    more = (*MIGRATIONS, "CREATE TABLE news (x TEXT); -- a comment; with a semicolon\n")
    monkeypatch.setattr("calm.store.database.MIGRATIONS", more)
    with Store(path, readonly=True) as store:  # read as it is
        assert key in store.answers([key])
    with Store(path) as store:
        assert key in store.answers([key])
        assert store.database.query("SELECT count(*) FROM news") == [(0,)]


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        key = _keep(store, "x")
    broken = (*MIGRATIONS, "CREATE TABLE news (x TEXT); CREATE NONSENSE")
    monkeypatch.setattr("calm.store.database.MIGRATIONS", broken)
    with pytest.raises(StoreError):
        Store(path)
    monkeypatch.undo()
    with Store(path) as store:
        assert key in store.answers([key])
        assert store.database.query("SELECT 1 FROM sqlite_master WHERE name = 'news'") == []


def test_a_full_disk_loses_nothing_and_says_so(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        pages = store.database.query("PRAGMA page_count")[0][0]
        store.database.query(f"PRAGMA max_page_count = {pages + 20}")
        keys = []
        with pytest.raises(StoreError, match="disk is full"):  # noqa: PT012 -- how many fit is SQLite's
            for i in range(1000):
                keys.append(_keep(store, f"text {i}", "x" * 500))
        assert len(keys) > 10
        assert set(store.answers(keys)) == set(keys)
        assert store.database.query("PRAGMA integrity_check") == [("ok",)]


def test_a_damaged_page_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        keys = [_keep(store, f"text {i}") for i in range(500)]
        size = store.database.query("PRAGMA page_size")[0][0]
    with path.open("r+b") as file:
        file.seek(2 * size)
        file.write(os.urandom(path.stat().st_size - 3 * size))
    damaged = path.read_bytes()
    with Store(path) as store, pytest.raises(StoreError, match="damaged"):
        store.answers(keys)
    assert path.read_bytes() == damaged


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"permissions|can't"):
        Store(tmp_path / "s.sqlite")


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Store(tmp_path)


OPEN = """
import multiprocessing, sys
from pathlib import Path
from calm.store.store import Store
context = multiprocessing.get_context("fork")
def open_store(path, gate):
    gate.wait()
    with Store(path):
        pass
for i in range(10):
    gate = context.Barrier(6)
    arguments = (Path(sys.argv[1]) / f"{i}.sqlite", gate)
    processes = [context.Process(target=open_store, args=arguments) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        print(process.exitcode)
"""


def test_many_processes_may_make_the_same_store_at_once(tmp_path: Path) -> None:
    """Forked in a process of its own: this one has threads, whose locks a child would inherit."""
    with python("-c", OPEN, tmp_path, stderr=subprocess.PIPE) as process:
        assert process.communicate(timeout=240) == ("0\n" * 60, "")


def test_a_store_of_before_messages_were_kept_can_be_read_without_being_changed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        key = _keep(store, "x")
        store.database.execute("ALTER TABLE calls DROP COLUMN message")
        store.database.execute("PRAGMA user_version = 1")
    with Store(path, readonly=True) as store:
        assert store.answers([key])[key].reply.message == ""
        assert store.database.query("PRAGMA user_version") == [(1,)]
    with Store(path) as store:
        assert store.answers([key])[key].reply.message == ""
        assert store.database.query("PRAGMA user_version") == [(len(MIGRATIONS),)]


# --- what can only be read


def test_a_store_on_a_disk_that_is_only_read_can_be_read(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        with Store(disk / "s.sqlite") as store:
            key = _keep(store, "x")
        allow_reading_only(disk)
        for readonly in (False, True):
            with Store(disk / "s.sqlite", readonly=readonly) as store:
                assert store.readonly
                assert store.answers([key])[key].reply.text == "{}"
                assert store.paid(CONTEXT).requests == 1
                other = Context("T", CONTEXT.subgoals, "another")
                assert store.paid(other).requests == 0
                with pytest.raises(StoreError, match=r"s\.sqlite can only be read; name another"):
                    _keep(store, "y")


def test_what_is_not_in_the_file_yet_is_not_left_out_in_silence(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        (original := tmp_path / "s.sqlite").touch()
        with Store(original) as store:
            _keep(store, "x")
            for name in ("s.sqlite", "s.sqlite-wal"):  # as a killed process leaves them
                shutil.copy(tmp_path / name, disk / name)
        allow_reading_only(disk)
        with pytest.raises(StoreError, match=r"was not closed, .* s\.sqlite-wal, .*: copy both"):
            Store(disk / "s.sqlite")


def test_a_file_that_nobody_may_write_is_only_read_by_root_too(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        key = _keep(store, "x")
    (tmp_path / "s.sqlite").chmod(0o444)
    content = (tmp_path / "s.sqlite").read_bytes()
    with Store(tmp_path / "s.sqlite") as store:
        assert key in store.answers([key])
        with pytest.raises(StoreError, match="can only be read"):
            store.keep_card("http://e/v1", "m", {})
    assert (tmp_path / "s.sqlite").read_bytes() == content

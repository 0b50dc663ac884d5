"""The store: raw before read, asked once whoever asks, and nothing overwritten, ever."""

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from calm.errors import StoreError
from calm.question import Call, Context, Question, Settled
from calm.records import Subgoal, Usage, Verdict
from calm.reply import Reply, TokenOdds
from calm.schema import MIGRATIONS
from calm.store import Store

CONTEXT = Context("T", (Subgoal("a", "A."), Subgoal("b", "B.")), "m", params={"temperature": 0})


def _question(text: str, sample: int = 0) -> Question:
    return Question(CONTEXT.key(text, sample), text, sample)


def _keep(store: Store, text: str, raw: str = '{"a": true}') -> bytes:
    question = _question(text)
    reply = Reply(
        raw, usage=Usage(1, 30, 20, 5, 0.5, 0.25), odds=(TokenOdds("{", -0.5, {"[": -1.0}),)
    )
    store.record(CONTEXT, "http://e/v1", Call(1.0, 0.5, "ok", reply, "", 0.25), [question])
    return question.key


def test_an_answer_is_there_raw_before_it_is_read_and_as_read_afterwards(store: Store) -> None:
    key = _keep(store, "x")
    unread = store.answers([key])[key]
    assert unread.verdict is None
    assert unread.reply.text == '{"a": true}'
    assert unread.reply.usage == Usage(1, 30, 20, 5, 0.5, 0.25)
    assert unread.reply.odds == (TokenOdds("{", -0.5, {"[": -1.0}),)
    store.settle([Settled(key, Verdict.OK, (1, 0), (0.75, 0.125), "")])
    read = store.answers([key])[key]
    assert (read.verdict, read.achieved, read.confidence) == (Verdict.OK, (1, 0), (0.75, 0.125))


def test_another_opening_finds_it(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        key = _keep(store, "x")
    with Store(tmp_path / "s.sqlite") as store:
        assert key in store.answers([key])
    with Store(tmp_path / "s.sqlite", readonly=True) as store:
        assert key in store.answers([key])
        with pytest.raises(StoreError, match="can't be written"):
            _keep(store, "y")


@pytest.mark.parametrize(
    "other",
    [
        Context("U", CONTEXT.subgoals, "m", params={"temperature": 0}),
        Context("T", CONTEXT.subgoals[::-1], "m", params={"temperature": 0}),
        Context("T", CONTEXT.subgoals, "n", params={"temperature": 0}),
        Context("T", CONTEXT.subgoals, "m", params={"temperature": 1}),
        Context("T", CONTEXT.subgoals, "m", "screen", params={"temperature": 0}),
        Context("T", CONTEXT.subgoals, "m", prompt="p", params={"temperature": 0}),
    ],
)
def test_every_part_of_the_key_tells_answers_apart(other: Context) -> None:
    assert other.key("x") != CONTEXT.key("x")


def test_text_and_sample_are_part_of_the_key() -> None:
    keys = {CONTEXT.key("x"), CONTEXT.key("y"), CONTEXT.key("x", 1), CONTEXT.key("1\nx")}
    assert len(keys) == 4


def test_texts_sqlite_cannot_hold_are_kept_all_the_same(store: Store) -> None:
    key = _keep(store, "a\ud800b\0c", raw="\ud800")
    assert store.answers([key])[key].reply.text == "?"


def test_many_keys_are_looked_up_in_one_call(store: Store) -> None:
    keys = [_keep(store, f"text {i}") for i in range(1203)]
    assert len(store.answers([*keys, b"absent"])) == 1203


# --- leases


def test_a_question_is_leased_to_one_at_a_time(store: Store) -> None:
    one, two = f"{store.owner}:one", f"{store.owner}:two"
    keys = [b"k1", b"k2", b"k3"]
    assert store.claim(keys[:2], one, 60) == {b"k1", b"k2"}
    assert store.claim(keys, two, 60) == {b"k3"}
    store.release(one, [b"k1"])
    assert store.claim(keys, two, 60) == {b"k1", b"k3"}  # its own again, and the free one
    store.release(one)
    assert store.claim(keys, two, 60) == {b"k1", b"k2", b"k3"}


def test_an_answered_question_is_not_leased(store: Store) -> None:
    key = _keep(store, "x")
    assert store.claim([key], "h:1:o", 60) == set()


def test_a_lease_ends_with_its_time_or_its_process(store: Store) -> None:
    store.claim([b"k"], f"{store.owner}:late", -1)
    assert store.claim([b"k"], f"{store.owner}:next", 60) == {b"k"}
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    host = store.owner.split(":")[0]
    store.release(f"{store.owner}:next")
    store.claim([b"k"], f"{host}:{child.pid}:dead", 60)
    assert store.claim([b"k"], f"{store.owner}:next", 60) == {b"k"}
    store.release(f"{store.owner}:next")
    store.claim([b"k"], "elsewhere:1:alive-for-all-we-know", 60)
    assert store.claim([b"k"], f"{store.owner}:next", 60) == set()


# --- files that are not what they should be


def test_what_is_no_database_is_moved_aside_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.write_text("not a database, but somebody's notes")
    with pytest.warns(UserWarning, match="moved to"), Store(path) as store:
        _keep(store, "x")
    (aside,) = tmp_path.glob("s.sqlite.not-a-database-*")
    assert aside.read_text() == "not a database, but somebody's notes"


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
    monkeypatch.setattr("calm.store.MIGRATIONS", more)
    with pytest.raises(StoreError, match="older schema"):
        Store(path, readonly=True)
    with Store(path) as store:
        assert key in store.answers([key])
        assert store.query("SELECT count(*) FROM news") == [(0,)]


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        key = _keep(store, "x")
    broken = (*MIGRATIONS, "CREATE TABLE news (x TEXT); CREATE NONSENSE")
    monkeypatch.setattr("calm.store.MIGRATIONS", broken)
    with pytest.raises(StoreError):
        Store(path)
    monkeypatch.undo()
    with Store(path) as store:
        assert key in store.answers([key])
        assert store.query("SELECT 1 FROM sqlite_master WHERE name = 'news'") == []


def test_a_full_disk_loses_nothing_and_says_so(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        pages = store.query("PRAGMA page_count")[0][0]
        store.query(f"PRAGMA max_page_count = {pages + 20}")
        keys = []
        with pytest.raises(StoreError, match="disk is full"):  # noqa: PT012 -- how many fit is SQLite's
            for i in range(1000):
                keys.append(_keep(store, f"text {i}", "x" * 500))
        assert len(keys) > 10
        assert set(store.answers(keys)) == set(keys)
        assert store.query("PRAGMA integrity_check") == [("ok",)]


def test_a_damaged_page_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        keys = [_keep(store, f"text {i}") for i in range(500)]
        size = store.query("PRAGMA page_size")[0][0]
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


def test_opening_ten_thousand_answers_takes_no_longer_than_opening_ten(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        store.fill(CONTEXT, [CONTEXT.key(str(i)) for i in range(10_000)])
    began = time.perf_counter()
    with Store(path) as store:
        assert len(store.answers([CONTEXT.key("17")])) == 1
    assert time.perf_counter() - began < 0.5


def test_subgoals_and_cards_are_kept(store: Store) -> None:
    name = store.keep_subgoals("T", CONTEXT.subgoals, "openai:m")
    assert store.subgoal_sets("T") == {name: CONTEXT.subgoals}
    assert store.subgoal_sets("U") == {}
    store.keep_card("http://e", "m", {"format": "json"})
    store.keep_card("http://e", "m", {"drop": ["seed"]})
    assert store.card("http://e", "m") == {"format": "json", "drop": ["seed"]}
    assert store.card("http://e", "n") == {}


def _open(path: Path, gate: Any, said: Any) -> None:
    gate.wait()
    try:
        with Store(path):
            said.put("")
    except Exception as error:  # whatever it is, the parent shows it
        said.put(repr(error))


def test_many_processes_may_make_the_same_store_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for i in range(10):
        gate, said = context.Barrier(6), context.Queue()
        arguments = (tmp_path / f"{i}.sqlite", gate, said)
        processes = [context.Process(target=_open, args=arguments) for _ in range(6)]
        for process in processes:
            process.start()
        assert [said.get(timeout=60) for _ in processes] == [""] * 6
        for process in processes:
            process.join()

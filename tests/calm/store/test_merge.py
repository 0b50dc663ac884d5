"""Stores of several machines become one: nothing lost, nothing twice, conflicts told."""

import json
from pathlib import Path

import pytest

from calm.endpoint.envelope import Call, Reply
from calm.errors import StoreError, UsageError
from calm.records import Subgoal, Usage, Verdict
from calm.store.merge import merge_stores
from calm.store.question import Context, Question, Reading
from calm.store.store import Store
from tests.support.command_line import calm

KEY = Subgoal("key", "The key is taken.")
CONTEXT = Context("Room", (KEY,), "m", "events", "t-v1", "hash", {"temperature": 0})
OTHER = Context("Hall", (KEY,), "m", "events", "t-v1", "hash", {"temperature": 0})


def add(store: Store, context: Context, text: str, yes: bool, started: float) -> bytes:
    """Adds a read answer that cost ten tokens."""
    question = Question(context.key(text), text)
    reply = Reply(f'{{"key": {str(yes).lower()}}}', usage=Usage(1, 9, 0, 1))
    store.record(context, "http://e/v1", Call(started, 0.5, "ok", reply), [question])
    store.store_verdicts([Reading(question.key, Verdict.OK, (int(yes),))])
    return question.key


def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two stores: one question answered alike, one otherwise, and two that only one has."""
    a, b = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    with Store(a) as store:
        add(store, CONTEXT, "same", True, 1.0)
        add(store, CONTEXT, "differs", True, 2.0)
        add(store, CONTEXT, "only a", False, 3.0)
        store.keep_card("http://e/v1", "m", {"format": "json"})
    with Store(b) as store:
        add(store, OTHER, "only b", True, 4.0)
        add(store, CONTEXT, "differs", False, 5.0)
        add(store, CONTEXT, "same", True, 6.0)
        store.record(CONTEXT, "http://e/v1", Call(7.0, 0.1, "429", None, "busy"))
        store.keep_subgoals("Hall", (KEY,), "given")
        store.keep_card("http://e/v1", "m", {"format": "plain"})
    return a, b


def test_all_answers_and_all_costs_are_in_the_merged_store(tmp_path: Path) -> None:
    a, b = two(tmp_path)
    report = merge_stores([a, b], tmp_path / "c.sqlite")
    assert (report.new, report.there, report.conflicts) == (4, 1, 1)
    with Store(tmp_path / "c.sqlite") as store:
        keys = [CONTEXT.key(t) for t in ("same", "differs", "only a")] + [OTHER.key("only b")]
        answers = store.answers(keys)
        assert [answers[key].achieved for key in keys] == [(1,), (1,), (0,), (1,)]
        assert store.paid(CONTEXT).requests == 6
        assert store.paid(OTHER).prompt_tokens == 9
        assert store.card("http://e/v1", "m") == {"format": "json"}
        assert list(store.subgoal_sets("Hall").values()) == [(KEY,)]
        assert store.tables.answers.orphans() == {"calls": 0, "contexts": 0, "texts": 0}
        assert store.database.problems() == []


def test_the_first_answer_is_kept_and_the_other_listed(tmp_path: Path) -> None:
    a, b = two(tmp_path)
    [conflict] = merge_stores([a, b], tmp_path / "c.sqlite").listed
    assert (conflict.key, conflict.text) == (CONTEXT.key("differs").hex(), "differs")
    assert conflict.kept == ("ok", '{"key": true}')
    assert conflict.left == ("ok", '{"key": false}')
    assert conflict.source == str(b)
    [conflict] = merge_stores([b, a], tmp_path / "d.sqlite").listed
    assert conflict.kept == ("ok", '{"key": false}')


def test_merged_again_it_adds_nothing_and_costs_are_not_counted_twice(tmp_path: Path) -> None:
    a, b = two(tmp_path)
    into = tmp_path / "c.sqlite"
    merge_stores([a, b], into)
    report = merge_stores([b, a], into)
    assert (report.new, report.there, report.conflicts) == (0, 5, 1)
    with Store(into) as store:
        assert store.database.value("SELECT count(*) FROM calls") == 7


def test_stopped_in_the_middle_it_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = two(tmp_path)
    monkeypatch.setattr("calm.store.merge._BLOCK", 1)

    def stop(source: str, answers: int) -> None:
        if source == str(b):
            raise KeyboardInterrupt

    into = tmp_path / "c.sqlite"
    with pytest.raises(KeyboardInterrupt):
        merge_stores([a, b], into, stop)
    report = merge_stores([a, b], into)
    assert report.conflicts == 1
    with Store(into) as store:
        assert store.database.value("SELECT count(*) FROM answers") == 4
        assert store.database.value("SELECT count(*) FROM calls") == 7


def test_unread_answers_come_along_and_sources_stay_as_they_are(tmp_path: Path) -> None:
    a = tmp_path / "a.sqlite"
    with Store(a) as store:
        question = Question(CONTEXT.key("x"), "x")
        store.record(CONTEXT, "e", Call(1.0, 0.5, "ok", Reply("{}")), [question])
    before = a.read_bytes()
    assert merge_stores([a], tmp_path / "c.sqlite").new == 1
    assert a.read_bytes() == before
    with Store(tmp_path / "c.sqlite") as store:
        assert store.answers([CONTEXT.key("x")])[CONTEXT.key("x")].verdict is None


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    a, _ = two(tmp_path)
    (tmp_path / "text").write_text("no database at all")
    with pytest.raises(UsageError, match="no store at"):
        merge_stores([a, tmp_path / "none"], tmp_path / "c.sqlite")
    with pytest.raises(UsageError, match="to be merged into"):
        merge_stores([a], a)
    with pytest.raises(StoreError, match="not a database"):
        merge_stores([tmp_path / "text"], tmp_path / "c.sqlite")


def test_of_two_files_the_damaged_one_is_named(tmp_path: Path) -> None:
    bad, into = tmp_path / "bad.sqlite", tmp_path / "c.sqlite"
    with Store(bad) as store:
        for i in range(300):
            add(store, CONTEXT, f"a text of some length, {i} " * 20, True, float(i))
    content = bytearray(bad.read_bytes())
    middle = len(content) // 8192 * 4096
    content[middle : middle + 8192] = b"\xff" * 8192
    bad.write_bytes(content)
    with pytest.raises(StoreError, match=f"the store {bad}: the file is damaged"):
        merge_stores([bad], into)
    with Store(into) as store:
        assert store.database.problems() == []


def test_the_command_tells_what_it_did(tmp_path: Path) -> None:
    a, b = two(tmp_path)
    printed = calm("store", "merge", a, b, "--into", tmp_path / "c.sqlite")
    assert "4 answers taken into" in printed
    assert "differs" in printed
    printed = calm("store", "merge", a, b, "--into", tmp_path / "c.sqlite", "--json")
    assert json.loads(printed)["there"] == 5

"""Looking through judgements: in order, a little at a time, by an index, whatever others write."""

import json
import time
from pathlib import Path

import pytest

from calm.endpoint.envelope import Call, Reply
from calm.records import Subgoal, Usage, Verdict
from calm.store.question import Context, Question, Reading
from calm.store.store import Store
from calm.store.tables.browsing import CallTotals, Place

A = Context("T", (Subgoal("a", "A."),), "m1", "events")
B = Context("T", (Subgoal("a", "A."),), "m2", "events")


def add(store: Store, context: Context, *texts: str, verdict: Verdict = Verdict.OK) -> None:
    questions = [Question(context.key(text), text) for text in texts]
    reply = Reply("{}", usage=Usage(1, 10, 0, 2))
    store.record(context, "e", Call(1.0, 0.5, reply=reply, cost=0.25), questions)
    store.store_verdicts([Reading(q.key, verdict, (1,)) for q in questions])


def walk(store: Store, contexts: list[int], texts: int, most: int) -> list[tuple[str, int]]:
    """All judgements, by text and context, as they are met."""
    browsing, rows = store.tables.browsing, []
    place = browsing.newest()
    while place.text > 0:
        block = browsing.older(place, contexts, texts, most)
        rows += block
        place = block[-1].place if len(block) == most else Place.before(place.text - texts)
    words = browsing.texts([row.text for row in rows])
    return [(words[row.text], row.context) for row in rows]


def test_all_are_met_once_newest_text_first_in_portions_of_any_size(store: Store) -> None:
    for text in "abcde":
        add(store, A, text)
    add(store, B, "b", "d")
    expected = [("e", 1), ("d", 2), ("d", 1), ("c", 1), ("b", 2), ("b", 1), ("a", 1)]
    for texts in (1, 2, 3, 100):
        for most in (1, 2, 3, 100):
            assert walk(store, [1, 2], texts, most) == expected
            assert walk(store, [2], texts, most) == [("d", 2), ("b", 2)]
    assert walk(store, [], 2, 2) == []


def test_a_class_is_had_whole_where_it_is_small(store: Store) -> None:
    add(store, A, "a", "b")
    add(store, A, "c", "d", verdict=Verdict.INVALID)
    add(store, B, "d", verdict=Verdict.INVALID)
    browsing = store.tables.browsing
    rows = browsing.all_of_class([1, 2], "invalid", 3)
    assert rows is not None
    assert [(row.text, row.context) for row in rows] == [(4, 2), (4, 1), (3, 1)]
    assert browsing.all_of_class([1, 2], "invalid", 2) is None
    assert browsing.all_of_class([1, 2], None, 2) == []
    assert browsing.classes() == [(1, "invalid", 2), (1, "ok", 2), (2, "invalid", 1)]


def test_words_and_calls_belong_together(store: Store) -> None:
    add(store, A, "a", "b")
    add(store, B, "a")
    browsing = store.tables.browsing
    words = browsing.words([A.key("b")])[A.key("b")]
    assert (words.text, words.raw, words.item, words.items) == ("b", "{}", 1, 2)
    assert (words.cost, words.prompt_tokens, words.message) == (0.25, 10, "")
    calls = browsing.last_calls(1)
    assert [(call.number, call.context, call.outcome) for call in calls] == [(2, 2, "ok")]
    # Where answers are few, all are looked at; else those about the newest texts.
    both = sorted([(A.key("a"), 1), (A.key("b"), 1)])
    assert sorted(browsing.of_calls(1, [1], most=2, texts=0)) == both
    assert sorted(browsing.of_calls(1, [1], most=1, texts=9)) == both
    assert browsing.of_calls(1, [1], most=1, texts=1) == [(A.key("b"), 1)]


def test_totals_are_of_a_stretch_of_calls_and_leave_imports_out(store: Store) -> None:
    add(store, A, "a", "b")
    add(store, B, "a")
    store.record(A, "e", Call(1.0, 0.5, outcome="timeout"))
    store.record(A, "e", Call(1.0, 0.5, outcome="imported", reply=Reply("{}")))
    browsing = store.tables.browsing
    assert browsing.last_call() == 4
    of_a = CallTotals(1, 2, 1, 2, 10, 2, 0.25, 0, 1.0)
    of_b = CallTotals(2, 1, 0, 1, 10, 2, 0.25, 0, 0.5)
    assert browsing.totals_between(0, 4) == [of_a, of_b]
    assert browsing.totals_between(1, 2) == [of_b]


def test_what_is_asked_now_has_a_lease_that_has_not_ended(store: Store) -> None:
    store.leases.claim([b"k1", b"k2"], store.leases.process, 60)
    assert store.tables.browsing.asked_now(time.time()) == 2
    assert store.tables.browsing.asked_now(time.time() + 61) == 0


def test_a_store_that_is_written_is_read_without_holding_up_the_writer(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as writer:
        add(writer, A, "a")
        with Store(tmp_path / "s.sqlite", readonly=True) as reader:
            browsing = reader.tables.browsing
            before = browsing.change()
            assert browsing.newest().text == 1
            with writer.transaction():
                add(writer, A, "b")
                assert browsing.newest().text == 1  # what is committed, and no waiting
            assert browsing.newest().text == 2
            assert browsing.change() != before
            assert [c.number for c in browsing.contexts()] == [1]


@pytest.mark.parametrize("what", ["older", "class", "calls", "totals", "classes", "last"])
def test_no_look_sorts_or_reads_a_whole_table(
    what: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, A, "a")
    query, plans = store.database.query, []

    def explained(sql: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        plans.extend(row[3] for row in query(f"EXPLAIN QUERY PLAN {sql}", values))
        return query(sql, values)

    browsing = store.tables.browsing
    monkeypatch.setattr(store.database, "query", explained)
    {
        "older": lambda: browsing.older(browsing.newest(), [1], 10, 10),
        "class": lambda: browsing.all_of_class([1], "ok", 10),
        "calls": lambda: browsing.of_calls(1, [1], 0, 10),
        "totals": lambda: browsing.totals_between(0, 10),
        "classes": browsing.classes,
        "last": lambda: browsing.last_calls(3),
    }[what]()
    text = json.dumps(plans)
    assert "ORDER BY" not in text
    assert "SCAN a" not in text.replace("SCAN answers USING COVERING INDEX", "")
    assert "SCAN calls" not in text

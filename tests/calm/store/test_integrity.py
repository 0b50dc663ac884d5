"""What is in a store, and whether it is as it should be."""

import pytest

from calm.asking.answer_reader import read_stored_answer
from calm.endpoint.envelope import Call, Reply
from calm.records import Subgoal, Usage, Verdict
from calm.store.integrity import stats, verify
from calm.store.question import Context, Question, Reading
from calm.store.store import Store

CONTEXT = Context("T", (Subgoal("a", "A."),), "m", mode="events", template="judge-v1")


def _add(store: Store, text: str, raw: str = '{"a": true}') -> bytes:
    question = Question(CONTEXT.key(text), text)
    reply = Reply(raw, usage=Usage(1, 70, 10, 7))
    store.record(CONTEXT, "http://e/v1", Call(1.0, 0.5, reply=reply, cost=0.25), [question])
    return question.key


def test_stats_count_every_attempt_and_no_import_as_paid(store: Store) -> None:
    store.store_verdicts([Reading(_add(store, "x"), Verdict.OK, (1,))])
    _add(store, "y")
    store.record(CONTEXT, "http://e/v1", Call(2.0, 1.5, "500"))
    imported = Call(0.0, 9.0, "imported", Reply("{}", usage=Usage(1, 1000, 0, 1000)), "", 5.0)
    store.adopt(CONTEXT, "", imported, 1, {0: Question(CONTEXT.key("z"), "z")})
    counts = stats(store)
    assert counts["answers"] == [
        {"kind": "judge", "model": "m", "task": "T", "mode": "events",
         "verdicts": {"unread": 2, "ok": 1}}
    ]  # fmt: skip
    assert counts["models"] == {
        "m": {
            "attempts": 3, "answered": 2, "failed": {"500": 1}, "prompt_tokens": 140,
            "cached_tokens": 20, "completion_tokens": 14, "cost": 0.5,
            "calls_of_unknown_price": 0, "seconds": 2.5,
        }
    }  # fmt: skip
    assert (counts["imported_calls"], counts["texts"], counts["open_batches"]) == (1, 3, 0)


def test_verify_reads_what_nobody_has_read_and_counts_what_reads_otherwise(store: Store) -> None:
    unread = _add(store, "x")
    stale = _add(store, "y")
    store.store_verdicts([Reading(stale, Verdict.OK, (0,))])
    audit = verify(store, read_stored_answer)
    assert (audit.answers, audit.unread, audit.stale, audit.problems) == (2, 1, 1, [])
    assert store.answers([unread])[unread].achieved == (1,)
    assert store.answers([stale])[stale].achieved == (0,)  # counted, not changed


@pytest.mark.parametrize("table", ["calls", "contexts", "texts"])
def test_an_answer_whose_row_elsewhere_is_gone_is_a_problem(store: Store, table: str) -> None:
    _add(store, "x")
    store.database.execute(f"DELETE FROM {table}")
    problems = verify(store, read_stored_answer).problems
    assert f"1 answers refer to {table} that are not there" in problems

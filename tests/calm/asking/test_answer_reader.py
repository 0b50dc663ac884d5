"""A raw reply becomes a verdict, and a stored answer a judgement."""

import pytest

from calm.asking.answer_reader import AnswerReader, read_stored_answer
from calm.endpoint.envelope import Reply
from calm.records import Subgoal, Usage, Verdict
from calm.store.question import Answer, Context

CONTEXT = Context("T", (Subgoal("a", "A."), Subgoal("b", "B.")), "m", params={"max_tokens": 9})
FENCED = '```json\n{"a": true, "b": false}\n```'


def _answer(reply: Reply, verdict: Verdict | None = None, item: int = 0, items: int = 1) -> Answer:
    return Answer(verdict, (), None, "", item, items, reply)


def test_a_reply_to_two_questions_gives_two_readings() -> None:
    reply = Reply('{"t1": {"a": true, "b": false}, "t2": {"a": 1, "b": false}}')
    first, second = AnswerReader(CONTEXT).read([b"1", b"2"], reply)
    assert (first.key, first.verdict, first.achieved) == (b"1", Verdict.OK, (1, 0))
    assert (second.key, second.verdict, second.achieved) == (b"2", Verdict.INVALID, ())
    assert second.reason == "not a boolean: a"


def test_a_judgement_names_subgoals_and_its_usage_stands_on_the_first_item() -> None:
    reply = Reply('{"t1": {"a": true, "b": false}, "t2": {"a": false, "b": true}}', usage=Usage(1))
    reader = AnswerReader(CONTEXT)
    judgements = [reader.judgement(_answer(reply, item=i, items=2)) for i in (0, 1)]
    assert [j.achieved for j in judgements] == [
        {"a": True, "b": False},
        {"a": False, "b": True},
    ]
    assert [j.usage.requests for j in judgements] == [1, 0]


@pytest.mark.parametrize("repair", [True, False])
def test_what_was_bought_without_repair_is_read_with_it(repair: bool) -> None:
    stored = _answer(Reply(FENCED), Verdict.INVALID)
    judgement = AnswerReader(CONTEXT, repair=repair).judgement(stored)
    assert judgement.verdict is (Verdict.REPAIRED if repair else Verdict.INVALID)
    assert read_stored_answer(CONTEXT, b"k", stored, repair=repair).verdict is judgement.verdict


def test_an_answer_at_its_limit_of_tokens_is_truncated() -> None:
    cut = Reply('{"a": tr', usage=Usage(completion_tokens=9))
    assert AnswerReader(CONTEXT).judgement(_answer(cut)).verdict is Verdict.TRUNCATED
    short = Reply('{"a": tr', usage=Usage(completion_tokens=8))
    assert AnswerReader(CONTEXT).judgement(_answer(short)).verdict is Verdict.INVALID

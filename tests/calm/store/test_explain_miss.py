"""Why an answer is not in the store: the nearest stored key, and the parts that differ."""

from dataclasses import replace

from calm.endpoint.envelope import Call, Reply
from calm.records import Subgoal
from calm.store.explain_miss import Difference, why
from calm.store.question import Context, Question
from calm.store.store import Store

CONTEXT = Context("T", (Subgoal("a", "A."),), "m", mode="events", params={"temperature": 0})


def _add(store: Store, context: Context, text: str, sample: int = 0) -> None:
    question = Question(context.key(text, sample), text, sample)
    store.record(context, "http://e/v1", Call(1.0, 0.5, reply=Reply("{}")), [question])


def test_what_is_there_is_said_to_be_unread_or_read(store: Store) -> None:
    _add(store, CONTEXT, "x")
    assert (why(store, CONTEXT, "x").stored, why(store, CONTEXT, "x").verdict) == (True, "unread")


def test_an_empty_store_has_no_nearest_answer(store: Store) -> None:
    explained = why(store, CONTEXT, "x")
    assert (explained.stored, explained.differences) == (False, [])


def test_the_same_text_is_nearer_than_fewer_differences(store: Store) -> None:
    _add(store, CONTEXT, "another text")  # one part differs: the text
    _add(store, replace(CONTEXT, model="n", mode="screen"), "x")  # two parts differ
    assert why(store, CONTEXT, "x").differences == [
        Difference("mode", "events", "screen"),
        Difference("model", "m", "n"),
    ]


def test_another_sample_of_the_same_question_differs_in_its_number(store: Store) -> None:
    for sample in (1, 5):
        _add(store, CONTEXT, "x", sample)
    assert why(store, CONTEXT, "x", 2).differences == [Difference("sample", "2", "1")]


def test_lists_that_have_the_same_names_differ_in_definitions(store: Store) -> None:
    _add(store, CONTEXT, "x")
    other = replace(CONTEXT, subgoals=(Subgoal("a", "Another A."),))
    same = "a (the definitions or the order differ)"
    assert why(store, other, "x").differences == [Difference("subgoals", "a", same)]


def test_of_other_texts_the_likest_is_named(store: Store) -> None:
    for text in ("The door opens.", "The hero fell into a pit."):
        _add(store, CONTEXT, text)
    [difference] = why(store, CONTEXT, "The door closes.").differences
    assert difference == Difference("text", "The door closes.", "The door opens.")

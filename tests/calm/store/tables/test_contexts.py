"""What questions have in common: each context has one row."""

from contextlib import suppress
from dataclasses import replace

from calm.endpoint.envelope import Call, Reply
from calm.records import Subgoal
from calm.store.question import Context, Question
from calm.store.store import Store
from calm.store.tables.contexts import dump_subgoals, load_subgoals

GOALS = (Subgoal("a", "A."), Subgoal("b", "B."))
CONTEXT = Context("T", GOALS, "m", "events", "judge-v1", "p", {"temperature": 0})


def _answer(store: Store, context: Context, *texts: str) -> None:
    questions = [Question(context.key(text), text) for text in texts]
    store.record(context, "http://e/v1", Call(1.0, 0.5, reply=Reply("{}")), questions)


def test_a_context_has_one_row_and_keeps_it(store: Store) -> None:
    contexts = store.tables.contexts
    assert contexts.number(CONTEXT) is None
    number = contexts.add(CONTEXT)
    assert contexts.add(CONTEXT) == contexts.number(CONTEXT) == number
    assert contexts.add(replace(CONTEXT, model="n")) != number
    assert contexts.models() == ["m", "n"]
    assert contexts.prompts() == [("judge-v1", "p")]


def test_a_row_that_was_rolled_back_is_not_remembered(store: Store) -> None:
    with suppress(ZeroDivisionError), store.transaction():
        store.tables.contexts.add(CONTEXT)
        raise ZeroDivisionError
    assert store.tables.contexts.number(CONTEXT) is None


def test_the_fullest_context_has_most_answers_among_the_templates_named(store: Store) -> None:
    other = replace(CONTEXT, template="judge-array-v1", prompt="q")
    _answer(store, CONTEXT, "x")
    _answer(store, other, "x", "y")
    fullest = store.tables.contexts.fullest
    assert fullest("T", GOALS, "m", "events") == other
    assert fullest("T", GOALS, "m", "events", ["judge-v1"]) == CONTEXT
    assert fullest("T", GOALS[:1], "m", "events") is None
    assert fullest("T", GOALS, "m", "crop") is None
    assert {c.prompt for c in store.tables.contexts.with_answers()} == {"p", "q"}


def test_a_list_of_subgoals_comes_back_as_it_went_in() -> None:
    assert load_subgoals(dump_subgoals(GOALS)) == GOALS

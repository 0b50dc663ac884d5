"""The store: raw before read, and every part of a question is part of its key."""

from dataclasses import replace
from pathlib import Path

import pytest

from calm.endpoint.envelope import Call, Reply, TokenOdds
from calm.errors import StoreError
from calm.records import Subgoal, Usage, Verdict
from calm.store.question import Context, Question, Reading
from calm.store.store import Store

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


def test_what_is_rolled_back_is_not_remembered(store: Store) -> None:
    """Else answers would be kept under a number that is free for another context."""

    def cut() -> None:
        with store.transaction():
            store.context(CONTEXT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut()
    store.context(Context("T", (), "other"))
    _keep(store, "x")
    assert store.database.query(
        "SELECT model FROM answers a JOIN contexts c ON c.id = a.context"
    ) == [("m",)]


def test_an_answer_is_there_raw_before_it_is_read_and_as_read_afterwards(store: Store) -> None:
    key = _keep(store, "x")
    unread = store.answers([key])[key]
    assert unread.verdict is None
    assert unread.reply.text == '{"a": true}'
    assert unread.reply.usage == Usage(1, 30, 20, 5, 0.5, 0.25)
    assert unread.reply.odds == (TokenOdds("{", -0.5, {"[": -1.0}),)
    store.store_verdicts([Reading(key, Verdict.OK, (1, 0), (0.75, 0.125), "")])
    read = store.answers([key])[key]
    assert (read.verdict, read.achieved, read.confidence) == (Verdict.OK, (1, 0), (0.75, 0.125))


def test_another_opening_finds_it(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        key = _keep(store, "x")
    with Store(tmp_path / "s.sqlite") as store:
        assert key in store.answers([key])
    with Store(tmp_path / "s.sqlite", readonly=True) as store:
        assert key in store.answers([key])
        with pytest.raises(StoreError, match="can only be read"):
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


def test_a_list_takes_newer_statements_and_loses_none(store: Store) -> None:
    bare = (Subgoal("take the key", "It is taken."), Subgoal("leave", "The door is passed."))
    stated = (replace(bare[0], statements=("the key is in", "it is his")), bare[1])
    name = store.keep_subgoals("T", bare, "me")
    assert [s.statements for s in store.subgoal_sets("T")[name]] == [(), ()]
    for subgoals in (stated, bare):
        assert store.keep_subgoals("T", subgoals, "me") == name
        assert [s.statements for s in store.subgoal_sets("T")[name]] == [
            ("the key is in", "it is his"),
            (),
        ]


def test_how_often_a_subgoal_is_to_be_done_is_kept(store: Store) -> None:
    once = (Subgoal("fill a pit", "It is filled."), Subgoal("leave", "It is left.", ("so",)))
    name = store.keep_subgoals("T", once, "me")
    assert store.keep_subgoals("T", (replace(once[0], times=9), once[1]), "me") == name
    newest = store.subgoal_sets("T")[name]
    assert [(s.times, s.statements) for s in newest] == [(9, ()), (1, ("so",))]
    bare = tuple(replace(s, statements=(), times=2) for s in once)
    store.keep_subgoals("T", bare, "me")
    newest = store.subgoal_sets("T")[name]
    assert [(s.times, s.statements) for s in newest] == [(2, ()), (2, ("so",))]


def test_subgoals_and_cards_are_kept(store: Store) -> None:
    name = store.keep_subgoals("T", CONTEXT.subgoals, "openai:m")
    assert store.subgoal_sets("T") == {name: CONTEXT.subgoals}
    assert store.subgoal_sets("U") == {}
    store.keep_card("http://e", "m", {"format": "json"})
    store.keep_card("http://e", "m", {"drop": ["seed"]})
    assert store.card("http://e", "m") == {"format": "json", "drop": ["seed"]}
    assert store.card("http://e", "n") == {}


def test_what_was_paid_is_every_attempt_but_no_import(store: Store) -> None:
    assert store.paid(CONTEXT) == Usage(cost=0.0)
    _keep(store, "x")
    store.record(CONTEXT, "http://e/v1", Call(2.0, 0.25, "500"))
    store.record(CONTEXT, "http://e/v1", Call(2.0, 0.25, "imported", Reply("{}"), cost=7.0))
    other = Context("U", CONTEXT.subgoals, "m")
    store.record(other, "http://e/v1", Call(2.0, 0.25, reply=Reply("{}"), cost=7.0))
    assert store.paid(CONTEXT) == Usage(2, 30, 20, 5, 0.75, 0.25)
    store.record(CONTEXT, "http://e/v1", Call(3.0, 1.0, reply=Reply("{}")))
    assert store.paid(CONTEXT).cost is None


def test_what_no_answer_says_was_achieved_is_named(tmp_path: Path) -> None:
    from calm.loopback import Loopback
    from calm.records import Task, Transition
    from tests.support.loopback_judge import judge_of

    task = Task("Room-v0", "Go.", (Subgoal("go", "It goes."), Subgoal("fly", "It flies.")))
    steps = [Transition(task.id, {"events": f"step {i}"}, "") for i in range(3)]
    with Loopback({"go": ["step 1"]}) as server, Store(tmp_path / "a.sqlite") as store:
        judge_of(server, store=store).judge(task, task.subgoals, steps)
        assert store.never_met(3) == [("Room-v0", "m", "fly", 3)]
        assert store.never_met(4) == []

"""The path that training uses: each text asked once, then a row of a table."""

import asyncio
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest

from calm.annotation.live import Annotator, Waiting
from calm.errors import CalmError, EndpointError, UsageError
from calm.judges import make_judge
from calm.judges.protocol import Immediate
from calm.loopback import Loopback
from calm.records import Judgement, Mode, Subgoal, Task, Transition, Verdict
from calm.store.store import Store


class Flaky(Immediate):
    """Fails on texts that say so, until told to work."""

    name = "flaky"
    mode: Mode = "events"

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.works = False

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        texts = [t.texts["events"] for t in transitions]
        self.calls.append(texts)
        return [self._one(t, subgoals) for t in texts]

    def _one(self, text: str, subgoals: Sequence[Subgoal]) -> Judgement:
        if text == "prose":
            return Judgement(Verdict.INVALID)
        if text == "down" and not self.works:
            return Judgement(Verdict.ERROR)
        return Judgement(Verdict.OK, {s.name: text == s.name for s in subgoals})


def test_texts_become_numbers_and_numbers_rows(task: Task) -> None:
    annotator = Annotator(Flaky(), task)
    ids = annotator.ids(["open the door", "x", "open the door", "pick up the key"])
    assert ids.dtype == np.int64
    assert ids.tolist() == [0, 1, 0, 2]
    assert annotator.table.dtype == np.int8
    assert annotator.table.tolist() == [[0, 1], [0, 0], [1, 0]]
    assert annotator.judge_texts(["pick up the key", "x"]).tolist() == [[1, 0], [0, 0]]


def test_new_texts_of_a_call_are_asked_together_and_once(task: Task) -> None:
    judge = Flaky()
    annotator = Annotator(judge, task)
    for texts in (["a", "b", "a"], ["b", "c"], ["a", "b", "c"]):
        annotator.ids(texts)
    assert judge.calls == [["a", "b"], ["c"]]
    assert annotator.questions == 3
    assert annotator.looked_up == 3


def test_no_answer_is_asked_again_but_an_unreadable_one_is_not(task: Task) -> None:
    judge = Flaky()
    annotator = Annotator(judge, task)
    assert annotator.judge_texts(["prose", "down"]).tolist() == [[-1, -1], [-1, -1]]
    assert annotator.verdicts == {Verdict.INVALID: 1, Verdict.ERROR: 1}
    judge.works = True
    assert annotator.judge_texts(["prose", "down"]).tolist() == [[-1, -1], [0, 0]]
    assert judge.calls[-1] == ["down"]
    assert +annotator.verdicts == {Verdict.INVALID: 1, Verdict.OK: 1}
    annotator.judge_texts(["prose", "down"])
    assert len(judge.calls) == 2


def test_any_judge_will_do_and_its_subgoals_are_kept(task: Task, store: Store, rules: dict) -> None:
    annotator = Annotator(make_judge("rules", rules=rules), task, task.subgoals[:1], store)
    assert annotator.judge_texts(["The key entered the inventory."]).tolist() == [[1]]
    assert list(store.subgoal_sets().values()) == [task.subgoals[:1]]


def test_a_task_without_subgoals_needs_some(task: Task) -> None:
    with pytest.raises(UsageError, match="decompose"):
        Annotator(Flaky(), Task("T", "x"))


# --- later ---------------------------------------------------------------------------------------


class Slow(Flaky):
    """Answers once it is let, as the other does; or fails with what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()
        self.fails: CalmError | None = None

    async def ajudge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        while not self.let.is_set():
            await asyncio.sleep(0.001)
        if self.fails is not None:
            raise self.fails
        return self.judge(task, subgoals, transitions)


def test_later_goes_on_and_an_answer_counts_from_when_it_is_there(task: Task) -> None:
    judge = Slow()
    annotator = Annotator(judge, task, ask="later")
    assert annotator.judge_texts(["open the door", "x"]).tolist() == [[-2, -2], [-2, -2]]
    assert annotator.judge_texts(["x", "prose"]).tolist() == [[-2, -2], [-2, -2]]
    assert (annotator.pending, annotator.questions) == (3, 3)
    assert not annotator.verdicts
    judge.let.set()
    annotator.wait()
    assert annotator.pending == 0
    assert annotator.judge_texts(["open the door", "x", "prose"]).tolist() == [
        [0, 1],
        [0, 0],
        [-1, -1],
    ]
    assert sorted(judge.calls) == [["open the door", "x"], ["prose"]]  # each text once
    assert annotator.verdicts == {Verdict.OK: 2, Verdict.INVALID: 1}


def test_no_more_may_be_pending_than_was_said(task: Task) -> None:
    judge = Slow()
    annotator = Annotator(judge, task, ask="later", most_pending=2)
    annotator.ids(["a", "b"])
    assert annotator.pending == 2
    waited: list[Waiting] = []

    def let(waiting: Waiting) -> None:
        waited.append(waiting)
        judge.let.set()

    annotator.on_wait = let
    annotator.ids(["c"])  # three are too many: waits, and is told so after a second
    assert annotator.pending <= 2
    assert waited[0].seconds > 0
    assert waited[0].questions == 0  # it does not count
    annotator.wait()
    assert annotator.table.tolist() == [[0, 0]] * 3


def test_who_waits_is_told_how_many_answers_have_come(task: Task) -> None:
    waited: list[Waiting] = []
    with Loopback({"pick up the key": "key"}, latency=1.5) as server, Store() as store:
        judge = make_judge("openai:m", base_url=server.url, store=store)
        before = Annotator(judge, task)
        before.ids(["a"])
        annotator = Annotator(judge, task)
        annotator.on_wait = waited.append
        annotator.ids(["a", "b", "c"])
    assert waited[0].questions == 2  # what the store holds is not waited for
    assert 0 <= waited[0].answered <= 2


def test_what_stops_the_judge_is_raised_and_asked_again_afterwards(task: Task) -> None:
    judge = Slow()
    annotator = Annotator(judge, task, ask="later")
    annotator.ids(["pick up the key"])
    judge.fails = EndpointError("gone")
    judge.let.set()
    with pytest.raises(EndpointError, match="gone"):
        annotator.wait()
    judge.fails = None
    assert annotator.pending == 0
    annotator.ids(["pick up the key"])
    annotator.wait()
    assert annotator.table.tolist() == [[1, 0]]


def test_waiting_raises_it_too(task: Task) -> None:
    judge = Slow()
    judge.fails = EndpointError("gone")
    judge.let.set()
    annotator = Annotator(judge, task)
    with pytest.raises(EndpointError, match="gone"):
        annotator.ids(["a"])
    judge.fails = None
    assert annotator.judge_texts(["a"]).tolist() == [[0, 0]]


def test_a_model_answers_later_while_play_goes_on(task: Task, rules: dict, store: Store) -> None:
    """Real HTTP: what was asked later is kept in the store, and the next annotator asks nothing."""
    texts = [f"Action: pick up.\nThe key entered the inventory. {n}" for n in "abcde"]
    with Loopback(rules, latency=0.1) as server:
        judge = make_judge("openai:m", base_url=server.url, store=store)
        annotator = Annotator(judge, task, ask="later")
        for text in texts:
            annotator.ids([text])
        assert annotator.pending == 5
        deadline = time.monotonic() + 240
        while annotator.pending and time.monotonic() < deadline:
            annotator.collect()
        assert annotator.judge_texts(texts).tolist() == [[1, 0]] * 5
        assert max(server.answered.values()) == 1
        again = Annotator(make_judge("openai:m", base_url=server.url, store=store), task)
        assert again.judge_texts(texts).tolist() == [[1, 0]] * 5
        assert server.requests == 5


def test_a_way_to_ask_that_is_none_is_named(task: Task) -> None:
    with pytest.raises(UsageError, match="unknown way to ask 'never'"):
        Annotator(Flaky(), task, ask="never")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 0"):
        Annotator(Flaky(), task, ask="later", most_pending=-1)

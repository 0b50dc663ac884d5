"""The path that training uses: each text asked once, then a row of a table."""

from collections.abc import Sequence

import numpy as np
import pytest

from calm.annotator import Annotator
from calm.errors import UsageError
from calm.judges import make_judge
from calm.judges.base import Immediate
from calm.records import Judgement, Mode, Subgoal, Task, Transition, Verdict
from calm.store import Store


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
    assert annotator.asked == 3
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

"""Asking a judge about every row, in one wording, as often as wanted."""

from collections.abc import Sequence

import numpy as np
import pytest

from calm.errors import UsageError
from calm.records import Judgement, Subgoal, Transition, Usage, Verdict
from data.evaluation.answers import Contestant, ask
from data.evaluation.subgoal_match import match
from tests.support.key_and_door import DOOR, KEY, TASK, key_and_door_rows
from tests.support.scripted_judge import Scripted

ROWS = key_and_door_rows(6)
TASKS = {TASK.id: TASK}


def _yes(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
    return Judgement(Verdict.OK, {s.name: True for s in subgoals}, usage=Usage(1, 10))


def test_each_repeat_answers_about_every_row_in_order() -> None:
    texts: list[str] = []

    def note(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        texts.append(t.texts["events"])
        return _yes(subgoals, t)

    again = Scripted("again", _yes)
    answers = ask(Contestant(Scripted("m", note), repeats=[again]), ROWS, TASKS, {})
    assert texts == [row.transition.texts["events"] for row in ROWS]
    assert (answers.judge, answers.mode, answers.variant) == ("m", "events", "")
    assert [len(repeat) for repeat in answers.raw] == [6, 6]
    assert answers.by_given_subgoal == answers.raw
    rows = [row for repeat in answers.judged for row in repeat]
    assert [(r.id, r.sample) for r in rows[5:7]] == [
        (ROWS[5].transition.id, 0),
        (ROWS[0].transition.id, 1),
    ]
    some = answers.of_rows(np.array([4, 1]))
    assert some.raw == [[repeat[4], repeat[1]] for repeat in answers.raw]


def test_a_variant_changes_what_is_read() -> None:
    goals: set[str] = set()

    class Reader(Scripted):
        def judge(self, task, subgoals, transitions):  # type: ignore[no-untyped-def]
            goals.add(task.goal)
            return super().judge(task, subgoals, transitions)

    answers = ask(Contestant(Reader("m", _yes), {"goal": "win"}), ROWS, TASKS, {})
    assert goals == {"Win the game."}
    assert answers.variant == "goal=win"


def test_discovered_subgoals_are_asked_about_and_put_into_the_given_ones_words() -> None:
    discovered = (Subgoal("take the key", "."), Subgoal("sing", "."))
    matches = {TASK.id: match(discovered, (KEY, DOOR))}
    answers = ask(Contestant(Scripted("m", _yes)), ROWS, TASKS, matches)
    assert answers.raw[0][0].achieved == {"take the key": True, "sing": True}
    assert answers.by_given_subgoal[0][0].achieved == {KEY.name: True}


def test_equal_texts_are_one_question_and_paid_once() -> None:
    twice = [*ROWS[:2], ROWS[1]]
    answers = ask(Contestant(Scripted("m", _yes)), twice, TASKS, {})
    assert answers.usage() == Usage(2, 20)
    assert answers.of_rows(np.array([1, 2])).usage() == Usage(1, 10)


def test_a_row_without_the_description_is_refused() -> None:
    with pytest.raises(UsageError, match="has no 'crop' description for m; has events, screen"):
        ask(Contestant(Scripted("m", _yes, "crop")), ROWS, TASKS, {})

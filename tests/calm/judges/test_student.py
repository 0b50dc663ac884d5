"""A student answers what it is sure of as its teacher would, asks the rest, and never hides it."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from calm.errors import UsageError
from calm.judges import asks_model, make_judge, teacher_of
from calm.judges.protocol import Immediate
from calm.judges.rules import RulesJudge
from calm.judges.student import AGREEMENT, StudentJudge, student_agreement
from calm.loopback import Loopback
from calm.records import Judgement, Mode, Subgoal, Task, Transition, Verdict
from calm.store.store import Store

KEY, DOOR = Subgoal("key", "The key is taken."), Subgoal("door", "The door is opened.")
TASK = Task("T", "Leave.", (KEY, DOOR))
RULES = {"key": ("took the key",), "door": ("opened the door",)}
DEEDS = ("took the key", "opened the door", "took a stone", "went on", "opened the chest")
PLACES = ("in the hall", "by the wall", "at the stairs", "near a rat", "in the dark", "alone")


def texts(first: int, last: int) -> list[str]:
    """Different texts of few words: a deed, two places and whether it hurt."""
    words = [
        f"{deed} {one} and {other}, {how}"
        for how in ("quickly", "slowly", "gladly")
        for one in PLACES
        for other in PLACES
        for deed in DEEDS
    ]
    return words[first:last]


def transitions(some: Sequence[str]) -> list[Transition]:
    return [Transition("T", {"events": text}, "") for text in some]


class Teacher(Immediate):
    """Judges by rules and keeps what it was asked."""

    name = "teacher"
    mode: Mode = "events"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._rules = RulesJudge("events", RULES)

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], asked: Sequence[Transition]
    ) -> list[Judgement]:
        self.asked += [t.texts["events"] for t in asked]
        return self._rules.judge(task, subgoals, asked)


def test_most_texts_are_answered_as_the_teacher_would_without_asking() -> None:
    teacher = Teacher()
    student = StudentJudge(teacher)
    rows = transitions(texts(0, 540))
    judged = student.judge(TASK, TASK.subgoals, rows)
    truth = RulesJudge("events", RULES).judge(TASK, TASK.subgoals, rows)
    assert [j.achieved for j in judged] == [j.achieved for j in truth]
    studied = student.studied(TASK, TASK.subgoals)
    assert len(teacher.asked) == len(set(teacher.asked)) == studied.asked < 270
    assert student.own == studied.own == 540 - studied.asked
    assert studied.audited > 0
    assert studied.agreement == 1
    other = StudentJudge(Teacher())
    assert asyncio.run(other.ajudge(TASK, TASK.subgoals, rows)) != []
    assert other.studied(TASK, TASK.subgoals).asked == studied.asked


def test_its_own_answers_say_that_they_are() -> None:
    teacher = Teacher()
    student = StudentJudge(teacher)
    judged = student.judge(TASK, TASK.subgoals, transitions(texts(0, 540)))
    own = {
        t for t, j in zip(texts(0, 540), judged, strict=True) if "a student of teacher" in j.reason
    }
    assert own == set(texts(0, 540)) - set(teacher.asked)
    assert student.name == "student:teacher"
    assert all(j.confidence for j in judged if j.reason)


def test_equal_texts_get_equal_answers_and_are_asked_once() -> None:
    teacher = Teacher()
    student = StudentJudge(teacher)
    some = texts(0, 20)
    first = student.judge(TASK, TASK.subgoals, transitions([*some, *some]))
    assert first[:20] == first[20:] == student.judge(TASK, TASK.subgoals, transitions(some))
    assert teacher.asked == some


def test_a_deed_that_was_never_met_is_asked() -> None:
    """Every learned answer about the door is no, so that only the new words tell."""
    teacher = Teacher()
    student = StudentJudge(teacher)
    met = [text for text in texts(0, 540) if "opened" not in text]
    student.judge(TASK, TASK.subgoals, transitions(met))
    before = len(teacher.asked)
    new = "opened the door in the hall and alone, quickly"
    assert student.judge(TASK, TASK.subgoals, transitions([new]))[0].achieved["door"]
    assert teacher.asked[before:] == [new]


def test_what_cant_be_read_is_passed_on_and_not_learned() -> None:
    class Mute(Teacher):
        def judge(
            self, task: Task, subgoals: Sequence[Subgoal], asked: Sequence[Transition]
        ) -> list[Judgement]:
            self.asked += [t.texts["events"] for t in asked]
            return [Judgement(Verdict.INVALID, reason="prose") for _ in asked]

    teacher = Mute()
    student = StudentJudge(teacher)
    rows = transitions(texts(0, 120))
    assert {j.verdict for j in student.judge(TASK, TASK.subgoals, rows)} == {Verdict.INVALID}
    assert teacher.asked == texts(0, 120)
    student.judge(TASK, TASK.subgoals, rows[:2])
    assert teacher.asked[120:] == texts(0, 2)


def test_a_teacher_that_can_not_be_foreseen_is_always_asked() -> None:
    class Moody(Teacher):
        def judge(
            self, task: Task, subgoals: Sequence[Subgoal], asked: Sequence[Transition]
        ) -> list[Judgement]:
            super().judge(task, subgoals, asked)
            coin = np.random.default_rng(len(self.asked))
            return [
                Judgement(Verdict.OK, {s.name: bool(coin.random() < 0.5) for s in subgoals})
                for _ in asked
            ]

    teacher = Moody()
    student = StudentJudge(teacher)
    student.judge(TASK, TASK.subgoals, transitions(texts(0, 300)))
    assert len(teacher.asked) == 300


def test_a_model_is_asked_over_http_and_its_store_holds_its_own_answers_alone() -> None:
    rows = transitions(texts(0, 540))
    with Loopback(RULES) as server, Store() as store:
        student = make_judge("student:openai:m", base_url=server.url, store=store)
        assert isinstance(student, StudentJudge)
        judged = student.judge(TASK, TASK.subgoals, rows)
        asked = student.studied(TASK, TASK.subgoals).asked
        own = sum("a student of openai:m" in j.reason for j in judged)
        assert (server.counts["ok"], own) == (asked, 540 - asked)
        assert asked < 270
        student.close()
        # Another one learns from the store, and asks nothing that it answers.
        again = make_judge("student:openai:m", base_url=server.url, store=store)
        assert isinstance(again, StudentJudge)
        again.judge(TASK, TASK.subgoals, rows)
        assert server.counts["ok"] <= asked + 5
        again.close()
        replayed = make_judge("replay", store=store).judge(TASK, TASK.subgoals, rows)
        assert sum(j.verdict is Verdict.OK for j in replayed) == server.counts["ok"]


@pytest.mark.parametrize(
    ("spec", "teacher", "agreement"),
    [
        ("student:rules", "rules", AGREEMENT),
        ("student@.9:openai:a/b:c", "openai:a/b:c", 0.9),
        ("rules", "rules", None),
        ("students:rules", "students:rules", None),
    ],
)
def test_a_spec_names_the_teacher(spec: str, teacher: str, agreement: float | None) -> None:
    assert (teacher_of(spec), student_agreement(spec)) == (teacher, agreement)
    assert asks_model(spec) == teacher.startswith("openai:")


def test_a_student_learns_from_no_other_student() -> None:
    with pytest.raises(UsageError, match="name the judge, as in student:rules"):
        make_judge("student:student@.9:rules")


@pytest.mark.parametrize("share", ["1", "0.5", "much", "-1"])
def test_an_agreement_that_is_none_is_told(share: str) -> None:
    with pytest.raises(UsageError, match=r"above .5 and below 1, as in student@.99:rules"):
        make_judge(f"student@{share}:rules")

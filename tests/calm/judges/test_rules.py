"""The judge of written rules reads the same text as a model."""

import asyncio

import pytest

from calm.errors import UsageError
from calm.judges import make_judge
from calm.records import Subgoal, Task, Transition


def test_rules_read_the_text(task: Task, transitions: list[Transition], rules: dict) -> None:
    judged = make_judge("rules", rules=rules).judge(task, task.subgoals, transitions)
    expected = [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0], [1, 0], [0, 0]]
    expected += [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0]]
    assert [j.row(task.subgoals) for j in judged] == expected
    assert judged == asyncio.run(
        make_judge("rules", rules=rules).ajudge(task, task.subgoals, transitions)
    )


def test_a_subgoal_without_a_rule_is_refused_and_the_known_ones_named(rules: dict) -> None:
    judge = make_judge("rules", rules=rules)
    with pytest.raises(UsageError, match=r"'fly'.*open the door, pick up the key"):
        judge.judge(Task("T", ""), [Subgoal("fly", "It flies.")], [])


def test_a_rule_that_is_no_pattern_is_refused() -> None:
    with pytest.raises(UsageError, match="'a'"):
        make_judge("rules", rules={"a": ("(",)})

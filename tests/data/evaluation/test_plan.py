"""What an evaluation is asked for: names become what they name, or an error lists them."""

from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.records import Subgoal, Task
from data.dataset import Dataset
from data.evaluation.plan import (
    EvaluationPlan,
    chosen_half,
    chosen_modes,
    chosen_parts,
    chosen_subgoals,
)
from data.parquet import Transitions
from tests.support.key_and_door import DOOR, KEY, TASK, key_and_door_rows

OTHER = Task("Kitchen-v0", "Eat.", (Subgoal("eat", "."),))
LESS = Task(TASK.id, TASK.goal, (KEY,))
BALANCED = Transitions(key_and_door_rows(6), {TASK.id: LESS, OTHER.id: OTHER})
DATASET = Dataset("set", {"balanced": BALANCED, "natural": Transitions([], {TASK.id: TASK})})


def test_descriptions_come_in_their_usual_order() -> None:
    assert chosen_modes(["events", "screen"]) == ["screen", "events"]
    assert chosen_modes(["crop", "all"]) == ["screen", "crop", "events"]
    with pytest.raises(UsageError, match=r"unknown description 'map'.* all"):
        chosen_modes(["map"])


def test_parts_hold_the_tasks_that_were_named() -> None:
    assert set(chosen_parts(DATASET, None, None)) == {"balanced", "natural"}
    parts = chosen_parts(DATASET, ["balanced"], ["Kitchen"])
    assert parts == {"balanced": Transitions([], {OTHER.id: OTHER})}
    with pytest.raises(UsageError, match="unknown part 'half'"):
        chosen_parts(DATASET, ["half"], None)
    with pytest.raises(UsageError, match="unknown task of this set 'Attic'"):
        chosen_parts(DATASET, None, ["Attic"])


def test_subgoals_are_those_of_any_part() -> None:
    def names(wanted: str) -> list[list[str]]:
        tasks = chosen_subgoals(DATASET, BALANCED, wanted)
        return [[s.name for s in task.subgoals] for task in tasks.values()]

    assert names("given") == [[KEY.name], ["eat"]]
    assert names("all") == [[KEY.name, DOOR.name], ["eat"]]
    assert names(f"eat, {DOOR.name}") == [[DOOR.name], ["eat"]]
    with pytest.raises(UsageError, match="unknown subgoal 'sing'"):
        names("sing")
    with pytest.raises(UsageError, match="--subgoals names none"):
        names(" , ")


def test_what_is_tuned_is_not_reported() -> None:
    plan = EvaluationPlan("set", ("rules",))
    assert chosen_half(plan) == ""
    learning = EvaluationPlan("set", ("rules",), learn=Path("t.json"))
    assert chosen_half(learning) == "tune"
    assert chosen_half(EvaluationPlan("set", ("rules",), sweep=("form",))) == "tune"
    report = EvaluationPlan("set", ("rules",), half="report", learn=Path("t.json"))
    with pytest.raises(UsageError, match="leave --half report out"):
        chosen_half(report)

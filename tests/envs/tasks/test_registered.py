"""Tasks that only MiniHack knows."""

import pytest

from calm.errors import UsageError
from calm.tasks import find_task
from envs.tasks import INSTALLED, TASKS, task
from envs.tasks.skills import SKILLS


def test_every_id_of_minihack_is_a_task() -> None:
    assert len(INSTALLED) == len(set(INSTALLED)) >= 159
    assert {*TASKS, *SKILLS} <= set(INSTALLED)
    assert "MiniHack-Nowhere-v0" not in INSTALLED


@pytest.mark.parametrize(
    ("name", "goal", "actions"),
    [
        ("Memento-F2", "Do what the MiniHack task Memento-F2 asks for.", 8),
        ("Pray", "Do what the MiniHack task Pray asks for.", 85),
        ("Sokoban1a-v1", "Do what the MiniHack task Sokoban1a asks for.", 11),
    ],
)
def test_its_actions_and_goal_come_from_the_engine(name: str, goal: str, actions: int) -> None:
    described = task(name)
    assert (described.goal, len(described.actions), described.subgoals) == (goal, actions, ())
    assert described.actions[:2] == ("move north", "move east")
    assert find_task(name) == described


def test_its_goal_and_subgoals_are_its_familys() -> None:
    described = task("MultiRoom-N2-Locked")
    assert described.goal.endswith("kicking open the locked doors between them.")
    assert [s.name for s in described.subgoals][:2] == ["open a door", "step into a doorway"]
    assert len(described.actions) == 10
    assert find_task("MultiRoom-N2-Locked") == described


def test_the_skill_tasks_have_subgoals() -> None:
    assert task("Eat") is SKILLS["MiniHack-Eat-v0"].task


def test_a_custom_task_is_told_what_it_needs() -> None:
    with pytest.raises(UsageError, match="YAML file that describes it"):
        task("Navigation-Custom")


def test_a_near_name_is_told() -> None:
    with pytest.raises(UsageError, match="did you mean 'MiniHack-Labyrinth-Big-v0'"):
        task("MiniHack-Labyrnth-Big-v0")

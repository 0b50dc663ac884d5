"""Tasks that only MiniHack knows."""

import pytest

from calm.errors import UsageError
from calm.tasks import find_task
from envs.tasks import INSTALLED, TASKS, task
from envs.tasks.skills import SKILLS
from envs.truth.make import with_truth


def test_every_id_of_minihack_is_a_task() -> None:
    assert len(INSTALLED) == len(set(INSTALLED)) >= 159
    assert {*TASKS, *SKILLS} <= set(INSTALLED)
    assert "MiniHack-Nowhere-v0" not in INSTALLED


@pytest.mark.parametrize(
    ("name", "goal", "actions"),
    [
        ("Memento-F2", "Kill the grid bug", 8),
        ("Sokoban1a-v1", "Reach the staircase down (`>`) once every pit is filled", 11),
        ("CorridorBattle", "Reach the staircase down (`>`) in the room at the other end", 8),
    ],
)
def test_its_actions_come_from_the_engine_and_its_words_from_its_family(
    name: str, goal: str, actions: int
) -> None:
    described = task(name)
    assert described.goal.startswith(goal)
    assert len(described.actions) == actions
    assert with_truth(described) == described.subgoals
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


def test_every_given_subgoal_has_a_statement_in_the_words_of_descriptions() -> None:
    """Without one a model is asked about its name, which it is less sure of."""
    described = [id for id in INSTALLED if "Custom" not in id and "Boxoban" not in id]
    subgoals = [(id, one) for id in described for one in task(id).subgoals]
    assert len({one.name for _, one in subgoals}) >= 50
    assert [(id, one.name) for id, one in subgoals if not one.statements] == []

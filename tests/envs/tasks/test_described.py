"""The table of tasks says what MiniHack's own environments are."""

import gymnasium
import minihack  # noqa: F401  registers the tasks
import pytest

from calm.errors import UsageError
from envs.game import actions
from envs.tasks import TASKS, task

FAMILIES = ("KeyRoom", "Corridor", "Room", "River", "MazeWalk", "Quest")


def test_every_task_of_the_families_is_there() -> None:
    registered = {
        name
        for name in gymnasium.registry
        if name.startswith(tuple(f"MiniHack-{family}-" for family in FAMILIES))
    }
    assert set(TASKS) == registered
    assert len(TASKS) == 34


@pytest.mark.parametrize("name", TASKS)
def test_task_is_what_minihack_runs(name: str) -> None:
    """It constructs, resets and steps; its actions are the environment's own."""
    env = gymnasium.make(name, disable_env_checker=True)
    game = env.unwrapped
    assert TASKS[name].actions == tuple(actions.english(a) for a in game.actions)
    game.seed(7, 7, False)
    env.reset()
    for action in range(8):
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    env.close()


@pytest.mark.parametrize("name", TASKS)
def test_words_of_a_task(name: str) -> None:
    t = TASKS[name]
    assert t.id == name
    assert t.goal.endswith(".")
    assert 2 <= len(t.subgoals) <= 14
    assert len({s.name for s in t.subgoals}) == len(t.subgoals)
    assert len(set(t.actions)) == len(t.actions)
    assert t.subgoals[-1].name == "reach the staircase down"
    assert "\n".join(t.legend.splitlines()) == t.legend


@pytest.mark.parametrize("name", ["KeyRoom-S5", "MiniHack-KeyRoom-S5", "KeyRoom-S5-v0"])
def test_short_names(name: str) -> None:
    assert task(name).id == "MiniHack-KeyRoom-S5-v0"


def test_unknown_names_list_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="did you mean 'MiniHack-KeyRoom-S5-v0'"):
        task("MiniHack-KeyRum-S5-v0")


def test_actions_in_english() -> None:
    assert task("KeyRoom-S5").actions == (
        "move north",
        "move east",
        "move south",
        "move west",
        "move northeast",
        "move southeast",
        "move southwest",
        "move northwest",
        "pick up",
        "apply",
    )
    assert [actions.kind(a) for a in ("move north", "move far southwest", "apply")] == [
        "move",
        "move far",
        "apply",
    ]

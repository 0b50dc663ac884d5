"""Makes a task of any other id that MiniHack registers, from what the engine knows of it.

Its actions are the engine's. Goal and subgoals are those of its family (`envs.tasks.families`).
Where that is not listed, the goal is the staircase down if MiniHack gives the task no reward
manager and no ending of its own; of others only the name is known, and subgoals are for a file of
one's own to name, or for a model.
"""

from __future__ import annotations

from functools import cache

from calm.errors import UsageError
from calm.records import Task
from envs.tasks.described import EVERYTHING, legend_text
from envs.tasks.families import words_of


def registered_ids() -> list[str]:
    """Returns MiniHack's ids in gymnasium's registry."""
    from envs.game.minihack_env import minihack_ids  # loads MiniHack, which registers them

    return minihack_ids()


@cache
def registered(id: str) -> Task:
    """Returns the task of one of `registered_ids`, asking the engine once in a process.

    Raises:
        UsageError: MiniHack can't make it: it needs a des-file, or levels that are not here.
    """
    from envs.game.minihack_env import make_minihack
    from envs.game.rules import read_rules

    if "-Custom-" in id:
        raise UsageError(
            f"{id} plays a level of your own: name a YAML file that describes it (environment,"
            " des_file, goal)"
        )
    env = make_minihack(id)
    try:
        rules = read_rules(env)
    finally:
        env.close()
    if words := words_of(id):
        goal, subgoals = words
        return Task(id, goal, subgoals, rules.actions, legend_text(EVERYTHING))
    goal = f"Do what the MiniHack task {id.removeprefix('MiniHack-').rpartition('-v')[0]} asks for."
    if rules.ends_on_stairs:
        goal = "Reach the staircase down (`>`)."
    return Task(id, goal, (), rules.actions, legend_text(EVERYTHING))

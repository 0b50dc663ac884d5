"""MiniHack as the agent and the judge see it: environments, tasks in words, episodes in words.

make, make_vec   one environment, or many stepped together
task, TASKS      the tasks in words: goal, subgoals, actions, legend
play             episodes in words, with the truth of every step
Batch            the games beneath, for observers of one's own

Names are loaded when they are first used: commands and tasks can be listed without the game.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from calm.lazy_names import load_name

if TYPE_CHECKING:
    from envs.collect import play
    from envs.environments import make, make_vec
    from envs.stepping.batch import Batch
    from envs.tasks import TASKS, task

_HOMES = {
    "TASKS": "envs.tasks",
    "Batch": "envs.stepping.batch",
    "make": "envs.environments",
    "make_vec": "envs.environments",
    "play": "envs.collect",
    "task": "envs.tasks",
}

__all__ = ["TASKS", "Batch", "make", "make_vec", "play", "task"]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used; AttributeError where there is none."""
    return load_name(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Makes a task of one's own from a YAML file, with the environment that plays it:

id: Cellar-v0
goal: Take the apple and eat it.
environment: MiniHack-Skill-Custom-v0   # MiniHack's id; left out, the Navigation one
des_file: cellar.des                    # a file beside this one, or the level itself
actions: [move north, move east, pick up, eat]   # left out, the environment's
subgoals:
  - {name: pick up the apple, definition: An apple enters the hero's inventory.}
  - {name: eat the apple, definition: The hero finishes eating the apple.}
legend: "%  food"
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calm.errors import GameError, UsageError, unknown
from calm.records import Task
from calm.tasks import TaskFile
from envs.game.actions import BY_NAME
from envs.tasks.described import EVERYTHING, legend_text

CUSTOM = "MiniHack-Navigation-Custom-v0"
"""Plays a des-file where no environment is named; with eight moves, if no actions are named."""


@dataclass(frozen=True, slots=True)
class OwnTask(Task):
    """A task with the environment that plays it, where its id is not that environment's."""

    environment: str = ""
    """MiniHack's id."""
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Keyword arguments of the MiniHack class: `des_file`, `actions`, where the file has them."""


def own_task(file: TaskFile) -> OwnTask:
    """Returns the task that a file describes; its level is compiled once to check it.

    Its actions are the file's, or else the environment's; its legend the file's, or else that of
    all symbols.

    Raises:
        UsageError: names what is wrong and where: no such environment, a des-file that does not
            compile, an action that NetHack has not or the environment does not take.
    """
    from envs.game.minihack_env import check_level, make_minihack, minihack_ids
    from envs.game.rules import read_rules

    environment = file.environment or CUSTOM
    if environment not in minihack_ids():
        raise UsageError(f"environment: {unknown('MiniHack id', environment, minihack_ids())}")
    options: dict[str, Any] = {"des_file": file.des_file} if file.des_file else {}
    if file.actions:
        options["actions"] = tuple(_action(file, i) for i in range(len(file.actions)))
    try:
        if file.des_file:
            check_level(file.task().id, file.des_file)
        env = make_minihack(environment, options)
    except (GameError, UsageError) as error:
        at = "des_file" if isinstance(error, GameError) else "environment"
        raise UsageError(f"{at}: {error}") from None
    try:
        rules = read_rules(env)
    finally:
        env.close()
    if file.actions and rules.actions != tuple(file.actions):
        raise UsageError(
            f"actions: {environment} has its own and takes no others:"
            f" {', '.join(rules.actions)}; leave them out"
        )
    words = file.task()
    return OwnTask(
        words.id,
        words.goal,
        words.subgoals,
        rules.actions,
        words.legend or legend_text(EVERYTHING),
        environment,
        options,
    )


def _action(file: TaskFile, index: int) -> enum.IntEnum:
    """Returns nle's action for one of the file's; raises a UsageError where there is none."""
    name = file.actions[index]
    if name not in BY_NAME:
        raise UsageError(f"actions.{index}: {unknown('action', name, BY_NAME)}")
    return BY_NAME[name]

"""The tasks: those described in words, every other one of MiniHack, and one's own from a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calm.errors import UsageError, unknown
from calm.records import Subgoal, Task
from calm.tasks import full_id, is_task_file, read_task
from envs.tasks import families
from envs.tasks.described import TASKS
from envs.tasks.own import OwnTask, own_task
from envs.tasks.registered import registered, registered_ids
from envs.tasks.skills import BY_ID

__all__ = [
    "INSTALLED",
    "TASKS",
    "OwnTask",
    "environment_of",
    "own_task",
    "task",
    "task_id",
    "words_of",
]


class _Installed(Mapping[str, Task]):
    """Every task by MiniHack's id; what is not described here is read from the engine."""

    def __getitem__(self, id: str) -> Task:
        if id in TASKS:
            return TASKS[id]
        if id in BY_ID:
            return BY_ID[id].task
        if id in registered_ids():
            return registered(id)
        raise KeyError(id)

    def __contains__(self, id: object) -> bool:
        return id in TASKS or id in registered_ids()

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*TASKS, *registered_ids())))

    def __len__(self) -> int:
        return sum(1 for _ in self)


INSTALLED: Mapping[str, Task] = _Installed()
"""Every task of MiniHack by its id, described or not."""


def words_of(id: str) -> tuple[str, tuple[Subgoal, ...]] | None:
    """Returns goal and given subgoals of a whole id; None where nothing but the engine knows it."""
    if id in TASKS:
        return TASKS[id].goal, TASKS[id].subgoals
    if id in BY_ID:
        return BY_ID[id].task.goal, BY_ID[id].task.subgoals
    return families.words_of(id)


def task_id(name: str) -> str:
    """Returns MiniHack's id of a task, which may be short, see `calm.tasks.full_id`.

    Raises:
        UsageError: no such task; lists them all.
    """
    id = full_id(name, TASKS) or full_id(name, INSTALLED)
    if id is None:
        raise unknown("task", name, INSTALLED)
    return id


def task(name: str) -> Task:
    """Returns the task of an id, short or whole (see `task_id`), or the one in a YAML file.

    Raises:
        UsageError: no such task, or a file that can't be used.
    """
    if is_task_file(name):
        own = read_task(Path(name))
        if not isinstance(own, OwnTask):
            raise UsageError(f"{name}: nothing plays it; name an environment or a des_file")
        return own
    return INSTALLED[task_id(name)]


def environment_of(name: str | Task) -> tuple[str, Mapping[str, Any]]:
    """Returns MiniHack's id and the keyword arguments of its class with which a task is played.

    Args:
        name: a task, or the id or file that `task` takes.

    Raises:
        UsageError: as `task`.
    """
    if isinstance(name, str):
        if not is_task_file(name):
            return task_id(name), {}
        name = task(name)
    if isinstance(name, OwnTask):
        return name.environment, name.options
    return name.id, {}

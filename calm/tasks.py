"""Finds a task by name among the installed ones, or reads one from a file.

Installed layers name theirs through the entry-point group `calm.tasks`, each a mapping of id to
`Task`. A task of one's own is a YAML file:

    id: Kitchen-v0
    goal: Serve the soup.
    actions: [go north, take, pour]
    subgoals:
      - {name: take the ladle, definition: The ladle enters the hand.}
      - {name: pour the soup, definition: Soup enters the bowl.}

Only id and goal must be there. `legend` tells what a screen's characters mean.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calm.errors import UsageError, unknown
from calm.plugins import entry_points_of
from calm.records import Task
from calm.subgoals import check_subgoals


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1)
    goal: str = Field(min_length=1)
    subgoals: list[dict[str, str]] | None = None
    actions: list[str] = []
    legend: str = ""


def installed_tasks() -> dict[str, Task]:
    """The tasks of every installed layer; one that can't be imported has none."""
    tasks: dict[str, Task] = {}
    for entry in entry_points_of("calm.tasks"):
        try:
            table: Mapping[str, Task] = entry.load()
        except ModuleNotFoundError:
            continue
        tasks.update(table)
    return tasks


def full_id(spec: str, known: Container[str]) -> str | None:
    """The known id that a spec names, with or without `MiniHack-` and `-v0`; None if there is none.

    >>> full_id("Room-5x5", {"MiniHack-Room-5x5-v0"})
    'MiniHack-Room-5x5-v0'
    """
    ids = (spec, f"{spec}-v0", f"MiniHack-{spec}", f"MiniHack-{spec}-v0")
    return next((id for id in ids if id in known), None)


def find_task(spec: str) -> Task:
    """The task that a spec names: a YAML file, or an id, with or without `MiniHack-` and `-v0`.

    Raises:
        UsageError: there is none; near names are told.
    """
    if spec.endswith((".yaml", ".yml", ".json")):
        return read_task(Path(spec))
    tasks = installed_tasks()
    if (id := full_id(spec, tasks)) is not None:
        return tasks[id]
    if not tasks:
        raise UsageError(f"no tasks are installed; describe {spec!r} in a YAML file and name that")
    raise unknown("task", spec, tasks)


def read_task(path: Path) -> Task:
    """The task in a YAML file.

    Raises:
        UsageError: it can't be read; the message names the field.
    """
    try:
        value: Any = yaml.safe_load(path.read_text("utf-8"))
        if not isinstance(value, dict):
            raise UsageError(f"{path} describes no task: fields are needed, at least id and goal")
        read = _File.model_validate(value)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"can't read the task in {path}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(f"{path}: {where}: {first['msg']}") from None
    try:
        subgoals = check_subgoals(read.subgoals) if read.subgoals else ()
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    return Task(read.id, read.goal, subgoals, tuple(read.actions), read.legend)

"""Finds a task by name among the installed ones, or reads one from a file.

Installed layers name theirs through the entry-point group `calm.tasks`, each a mapping of id to
`Task`. A task of one's own is a YAML file:

    id: Kitchen-v0
    goal: Serve the soup.
    actions: [go north, take, pour]
    subgoals:
      - {name: take the ladle, definition: The ladle enters the hand.}
      - {name: pour the soup, definition: Soup enters the bowl.}

Only id and goal must be there. `legend` tells what a screen's characters mean. A file that also
names an `environment` or a `des_file` can be played: whoever knows such environments (the
entry-point group `calm.environments`, functions from `TaskFile` to `Task`) says what its actions
are.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Container, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from calm.errors import UsageError, unknown
from calm.plugins import entry_points_of
from calm.records import Subgoal, Task
from calm.subgoals import check_subgoals
from calm.yaml_files import read_yaml


class TaskFile(BaseModel):
    """What a task's YAML file says."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    id: str = ""
    """Its name; by default that of its environment."""
    goal: str = Field(min_length=1)
    """One English sentence."""
    environment: str = ""
    """Id of the environment that plays it, such as MiniHack-Eat-v0."""
    des_file: str = ""
    """MiniHack's description of its level: the text itself, or the name of a .des file beside the
    YAML file."""
    actions: tuple[str, ...] = ()
    """English names of its actions; by default those of its environment."""
    subgoals: tuple[dict[str, Any], ...] = ()
    """Each a name and a definition, and maybe statements and times; none where a model is to name
    them."""
    legend: str = ""
    """What a screen's characters mean."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.id and not self.environment:
            raise ValueError("an id is needed, or an environment whose id is the task's")
        twice = sorted({name for name in self.actions if self.actions.count(name) > 1})
        if twice:
            raise ValueError(f"actions must differ; named twice: {', '.join(twice)}")
        try:
            _checked(self.subgoals)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def plays(self) -> bool:
        """Returns whether it says what plays the task."""
        return bool(self.environment or self.des_file)

    def task(self) -> Task:
        """Returns the task as it is described to a judge, without loading any environment."""
        subgoals = _checked(self.subgoals)
        return Task(self.id or self.environment, self.goal, subgoals, self.actions, self.legend)


def _checked(subgoals: tuple[dict[str, Any], ...]) -> tuple[Subgoal, ...]:
    """Returns the subgoals of a file, of which there may be none."""
    return check_subgoals(list(subgoals), by_hand=True) if subgoals else ()


def installed_tasks() -> Mapping[str, Task]:
    """Returns the tasks of every installed layer by id; one that can't be imported has none."""
    tables: list[Mapping[str, Task]] = []
    for entry in entry_points_of("calm.tasks"):
        try:
            tables.append(entry.load())
        except ModuleNotFoundError:
            continue
    return ChainMap(*cast("list[MutableMapping[str, Task]]", tables))


def full_id(spec: str, known: Container[str]) -> str | None:
    """Returns the known id that a spec names; None for none.

    `MiniHack-` before it and its version, `-v0` or `-v1`, may be left out.

    >>> known = {"MiniHack-Room-5x5-v0", "MiniHack-Sokoban1a-v1"}
    >>> full_id("Room-5x5", known), full_id("Sokoban1a", known)
    ('MiniHack-Room-5x5-v0', 'MiniHack-Sokoban1a-v1')
    """
    ids = (f"{before}{spec}{after}" for before in ("", "MiniHack-") for after in ("", "-v0", "-v1"))
    return next((id for id in ids if id in known), None)


def find_task(spec: str) -> Task:
    """Returns the task of a YAML file, or of an id, short or whole, see `full_id`.

    Raises:
        UsageError: there is none; the message has names like it.
    """
    if is_task_file(spec):
        return read_task(Path(spec))
    tasks = installed_tasks()
    if (id := full_id(spec, tasks)) is not None:
        return tasks[id]
    if not tasks:
        raise UsageError(f"no tasks are installed; describe {spec!r} in a YAML file and name that")
    raise unknown("task", spec, tasks)


def is_task_file(spec: str) -> bool:
    """Returns whether a task's spec is a file's name and not an id."""
    return spec.endswith((".yaml", ".yml", ".json"))


def read_task(path: Path) -> Task:
    """Returns the task in a YAML file; its actions are those of its environment, if it names one.

    Raises:
        UsageError: it can't be read, or nothing here plays it; the message names the field.
    """
    file = read_task_file(path)
    if not file.plays:
        return file.task()
    for entry in entry_points_of("calm.environments"):
        try:
            complete = entry.load()
        except ModuleNotFoundError:
            continue
        try:
            return cast(Task, complete(file))
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None
    raise UsageError(f"{path}: nothing is installed that plays it; install the extra [envs]")


def _fault(error: Any) -> str:
    """Returns one of pydantic's errors in words that name the field."""
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "string_type":
        message = f"text is needed, not {error['input']!r}: put it between quotes"
    return ": ".join(filter(None, (".".join(map(str, error["loc"])), message)))


def read_task_file(path: Path) -> TaskFile:
    """Returns what a task's YAML file says, a des-file beside it read into it.

    Raises:
        UsageError: it can't be read; the message names every field that is wrong.
    """
    value = read_yaml(path, "the task")
    if not isinstance(value, dict):
        raise UsageError(f"{path} describes no task: fields are needed, at least id and goal")
    for name in value:
        if name not in TaskFile.model_fields:
            raise UsageError(f"{path}: {unknown('field', str(name), TaskFile.model_fields)}")
    try:
        file = TaskFile.model_validate(value)
    except ValidationError as error:
        words = "; ".join(_fault(e) for e in error.errors())
        raise UsageError(f"{path}: {words}") from None
    level = path.parent / file.des_file
    if not file.des_file.endswith(".des") or not level.is_file():
        return file
    try:
        return file.model_copy(update={"des_file": level.read_text("utf-8")})
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: des_file: can't read {level}: {error}") from None

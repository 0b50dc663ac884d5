"""Finds the settings that serve a family of tasks: those that `calm train` and the demo begin with.

They are YAML files in `agents/training/settings`, which say what was tuned and what was set by
hand. What is named otherwise, in a config or by an option, wins over them.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from calm.yaml_files import read_yaml

FOLDER = Path(__file__).parent
_REST = "others"
"""The family of tasks that no other file names."""


class Family(NamedTuple):
    """A file of settings."""

    name: str
    tasks: tuple[str, ...]
    """Short names of its tasks, or patterns of them such as `Freeze-*`."""
    settings: dict[str, Any]
    """By field of `agents.training.settings.config.TrainConfig`."""


def families() -> list[Family]:
    """Returns all families, the one of all other tasks last."""
    paths = sorted(FOLDER.glob("*.yaml"), key=lambda path: (path.stem == _REST, path.stem))
    values = [read_yaml(path, "settings of a family") for path in paths]
    return [
        Family(path.stem, tuple(value["tasks"]), dict(value["settings"]))
        for path, value in zip(paths, values, strict=True)
    ]


def family_of(task_id: str) -> Family:
    """Returns the family of a task, by MiniHack's whole id or an id of one's own."""
    name = task_id.removeprefix("MiniHack-").removesuffix("-v0").removesuffix("-v1")
    return next(one for one in families() if any(fnmatchcase(name, t) for t in one.tasks))

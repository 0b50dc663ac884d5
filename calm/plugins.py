"""What installed packages, or this clone itself, add to calm through entry points."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path


def entry_points_of(group: str) -> list[EntryPoint]:
    """Returns the entry points of a group: the installed ones, or this clone's own if none is.

    Calm's own come first, the others by name.
    """
    entries = list(entry_points(group=group))
    pyproject = Path(__file__).parent.parent / "pyproject.toml"
    if not entries and pyproject.is_file():
        declared = tomllib.loads(pyproject.read_text("utf-8"))["project"]["entry-points"]
        entries = [EntryPoint(n, v, group) for n, v in declared.get(group, {}).items()]
    return sorted(entries, key=lambda e: (e.name != "calm", e.name))

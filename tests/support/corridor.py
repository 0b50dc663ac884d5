"""A set of steps along a corridor, with screens, for pages that people label."""

from __future__ import annotations

from pathlib import Path

import pytest

from calm.records import LabelledTransition, Screen, Task, Transition
from data.parquet import write_transitions
from tests.support.browser import executable

IN_BROWSER = [
    pytest.mark.skipif(
        executable() is None,
        reason="needs Chromium: none of chromium, google-chrome is on the PATH",
    ),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]
"""Marks of tests that a person's browser would take part in."""


def corridor_set(path: Path, task: Task, n: int, message: str) -> Path:
    """Writes n steps that achieve nothing, each in an episode of its own.

    Args:
        message: of the game; the step's number follows it.
    """
    rows = [
        LabelledTransition(
            Transition(task.id, {"screen": f"{i}"}, f"move {i}", f"secret{i}", i),
            {subgoal.name: False for subgoal in task.subgoals},
            {"player": "secret", "level_seed": i},
            _screen(f"{message} {i}", 2),
            _screen(f"{message} {i}", 3),
        )
        for i in range(n)
    ]
    write_transitions(path, rows, {task.id: task})
    return path


def _screen(message: str, hero: int) -> Screen:
    """Returns a terminal's screen with the hero in that cell of the corridor."""
    row = list("|.......|")
    row[hero] = "@"
    lines = [message.ljust(80), *[" " * 80] * 8, ("  " + "".join(row)).ljust(80)]
    lines += [" " * 80] * 12 + ["Agent the Rambler St:18".ljust(80), "Dlvl:1 HP:12".ljust(80)]
    return Screen("\n".join(lines), "\n".join("7" * 80 for _ in lines))

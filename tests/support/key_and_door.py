"""A small set in the paper's design: a key, a door, and steps that achieve nothing."""

from __future__ import annotations

from pathlib import Path

from calm.records import LabelledTransition, Subgoal, Task, Transition
from data.parquet import write_transitions

KEY = Subgoal("pick up the key", "The key enters the inventory.")
DOOR = Subgoal("open the door", "A closed door becomes an open one.")
TASK = Task("MiniHack-KeyRoom-S5-v0", "Take the key, open the door.", (KEY, DOOR))
EVENTS = ("The key entered the inventory.", "The door opened.", "Nothing changed.")


def key_and_door_set(path: Path) -> Path:
    """Writes 24 transitions of twelve episodes: key, door, nothing, in turn."""
    rows = [
        LabelledTransition(
            Transition(
                TASK.id,
                {"events": f"{EVENTS[i % 3]} [{i}]", "screen": f"<{EVENTS[i % 3]} {i}>"},
                "apply",
                f"e{i // 2}",
                i,
            ),
            {KEY.name: i % 3 == 0, DOOR.name: i % 3 == 1},
            {"level_seed": i},
        )
        for i in range(24)
    ]
    write_transitions(path, rows, {TASK.id: TASK})
    return path

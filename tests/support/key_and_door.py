"""A small set in the paper's design: a key, a door, and steps that achieve nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calm.records import Judgement, LabelledTransition, Subgoal, Task, Transition, Verdict
from data.parquet import write_transitions
from data.schema import Label

KEY = Subgoal("pick up the key", "The key enters the inventory.")
DOOR = Subgoal("open the door", "A closed door becomes an open one.")
TASK = Task("MiniHack-KeyRoom-S5-v0", "Take the key, open the door.", (KEY, DOOR))
EVENTS = ("The key entered the inventory.", "The door opened.", "Nothing changed.")


def key_and_door_rows(n: int = 24) -> list[LabelledTransition]:
    """Returns transitions of episodes of two steps: key, door, nothing, in turn."""
    return [
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
        for i in range(n)
    ]


def key_and_door_set(path: Path) -> Path:
    """Writes 24 transitions of twelve episodes: key, door, nothing, in turn."""
    write_transitions(path, key_and_door_rows(), {TASK.id: TASK})
    return path


def label(row: LabelledTransition, annotator: str, *achieved: str, **more: Any) -> Label:
    """Returns one person's label of a row; both subgoals were offered."""
    return Label(row.transition.id, annotator, achieved, (KEY.name, DOOR.name), **more)


def says(*achieved: str) -> Judgement:
    """Returns a judgement that names what was achieved."""
    return Judgement(Verdict.OK, {name: name in achieved for name in (KEY.name, DOOR.name)})

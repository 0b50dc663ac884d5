"""Plays minihack-v2: all families of MiniHack's tasks.

Each task has seeds of its own, so that one can be built without the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from agents.data_sets.picking import EPISODES, Part, Picker
from calm.records import LabelledTransition
from envs.collect import play
from envs.game.levels.boxoban import FOLDER
from envs.tasks import task as find_task

BOXOBAN = Path(__file__).parent / "boxoban"
"""Levels of our own, since those that MiniHack downloads are another project's."""

_SKILLS = ("Eat", "Wear", "Wield", "Zap", "PutOn", "Read", "Pray", "Sink")
_NAMES = (
    *("KeyRoom-Dark-S15", "Corridor-R2", "Corridor-R5"),
    *(f"Room-{kind}" for kind in ("5x5", "Dark-15x15", "Monster-15x15", "Trap-15x15")),
    *("Room-Ultimate-5x5", "MazeWalk-15x15", "MazeWalk-Mapped-45x19"),
    *("River-Narrow", "River-Monster", "River-Lava"),
    *("Quest-Easy", "Quest-Medium", "Quest-Hard"),
    *(f"MultiRoom-{kind}" for kind in ("N2-Monster", "N4-Locked", "N4-Lava", "N6-OpenDoor")),
    *("MultiRoom-N4-LavaMonsters", "MultiRoom-N6-Extreme"),
    *("LavaCrossingS9N2", "LavaCrossingS19N13", "SimpleCrossingS9N3"),
    *("ClosedDoor", "LockedDoor", "Labyrinth-Small", "Labyrinth-Big"),
    *("HideNSeek", "HideNSeek-Mapped", "HideNSeek-Lava", "CorridorBattle", "CorridorBattle-Dark"),
    *(f"{skill}-Distr" for skill in _SKILLS),
    *("PutOn", "Read", "Pray", "Sink"),
    *("Freeze-Wand-Restricted", "Freeze-Horn-Full", "Freeze-Random-Restricted"),
    *("Freeze-Lava-Restricted", "Levitate-Boots-Restricted", "Levitate-Ring-Full"),
    *("Levitate-Potion-Fixed", "LavaCross-Restricted", "LavaCross-Levitate-Ring-Inv-Full"),
    *("LavaCross-Levitate-Potion-Pickup-Restricted", "WoD-Easy-Full", "WoD-Medium-Restricted"),
    *("WoD-Hard-Restricted", "WoD-Pro-Restricted", "ExploreMaze-Easy", "ExploreMaze-Hard-Mapped"),
    *("Memento-Short-F2", "Memento-F4", "Sokoban1a", "Sokoban3a", "Boxoban-Medium"),
)
TASKS = tuple(f"MiniHack-{name}-v{1 if name.startswith('Sokoban') else 0}" for name in _NAMES)
"""Ids of the tasks, in the order of the rows."""

_QUESTS = ("Quest-", "Levitate-", "Freeze-Lava-", "LavaCross-", "WoD-", "CorridorBattle-")
DESCRIPTIONS = 3
"""Version of its `events` texts, see `envs.events.words.VERSIONS`."""
STEPS = 300
"""Steps of each task and player from which rows are picked."""
_LONGER: Mapping[str, int] = {
    "KeyRoom-Dark-S15": 900,
    "Corridor-R5": 900,
    "Quest-Medium": 900,
    "Quest-Hard": 3000,
    "CorridorBattle": 900,
    "CorridorBattle-Dark": 900,
    "Labyrinth-Small": 900,
    "Labyrinth-Big": 1500,
    "Eat-Distr": 900,
    "Read-Distr": 900,
    "ExploreMaze-Easy": 600,
    "WoD-Pro-Restricted": 900,
}
"""Likewise of those who play by a script, by name of the task, where deeds are rare."""


def players_of(id: str) -> tuple[str, str, str]:
    """Returns the names of those who play a task."""
    if id.removeprefix("MiniHack-").startswith(_QUESTS):
        return "quester", "sloppy-quester", "random"
    return "scripted", "sloppy", "random"


@contextmanager
def _own_boxoban_levels() -> Iterator[None]:
    """Lets Boxoban play `BOXOBAN` in the body of a with-statement."""
    before = os.environ.get(FOLDER)
    os.environ[FOLDER] = str(BOXOBAN)
    try:
        yield
    finally:
        os.environ.pop(FOLDER)
        if before is not None:
            os.environ[FOLDER] = before


def play_task(id: str) -> tuple[list[LabelledTransition], list[LabelledTransition]]:
    """Plays a task; returns its rows of `picked` and of `natural`.

    `natural` holds 10 steps of each player, drawn evenly. `picked` holds, of the others, up to 3 a
    subgoal and player that achieve it, up to 3 a subgoal that read like it and do not, and 2 of
    each player that achieve nothing.

    Args:
        id: one of `TASKS`.
    """
    number = TASKS.index(id)
    name = _NAMES[number]
    picker = Picker(seed=number)
    picked: list[LabelledTransition] = []
    natural: list[LabelledTransition] = []
    played: list[LabelledTransition] = []
    with _own_boxoban_levels():
        subgoals = find_task(id).subgoals
        for p, player in enumerate(players_of(id)):
            seed = 3000 + 10 * number + p
            steps = play(
                id, player, episodes=EPISODES, split="data", seed=seed, descriptions=DESCRIPTIONS
            )
            rows = list(islice(steps, STEPS if player == "random" else _LONGER.get(name, STEPS)))
            natural += picker.evenly(rows, 10)
            picked += picker.first_of_each(rows, [s.name for s in subgoals], 3)
            picked += picker.different_idle(rows, 2)
            played += rows
    for subgoal in subgoals:
        picked += picker.near_misses(played, subgoal, 3)
    return picked, natural


def minihack_v2() -> dict[str, Part]:
    """Plays minihack-v2; returns its parts by name."""
    picked: list[LabelledTransition] = []
    natural: list[LabelledTransition] = []
    for id in TASKS:
        more_picked, more_natural = play_task(id)
        picked += more_picked
        natural += more_natural
    with _own_boxoban_levels():
        tasks = {id: find_task(id) for id in TASKS}
    return {"picked": Part(picked, tasks), "natural": Part(natural, tasks)}

"""Builds the labelled sets from seeds: `calm data build keyroom-v1`.

The same versions of the game give the same bytes; `--check` builds into a scratch folder and
compares with what is shipped. Every choice is drawn from generators whose seeds are in here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from agents.data_sets.minihack_v2 import minihack_v2
from agents.data_sets.picking import Part, Picker, steps
from calm.errors import UsageError, unknown
from calm.records import LabelledTransition
from data.dataset import read_manifest, write_manifest, write_part
from envs.collect import versions
from envs.seeding import SPLITS
from envs.tasks import task as find_task

KEYROOM_PLAYERS = ("scripted", "half-trained", "random")
"""Who plays for keyroom-v1."""
PLAYERS = ("scripted", "sloppy", "random")
"""Who plays for minihack-v1, but for the quests."""
PAPER = ("pick up the key", "open the locked door")
"""The two subgoals of the paper's design, as our tasks name them."""


def keyroom() -> dict[str, Part]:
    """Plays keyroom-v1; returns its parts by name.

    `balanced` is the paper's design: 256 rows, three classes evenly over both tasks, which the
    quotas of 43 and 42 come to. `natural` are 2,100 steps as they come in play.
    """
    ids = ("MiniHack-KeyRoom-S5-v0", "MiniHack-KeyRoom-S15-v0")
    picker = Picker(seed=2409)
    balanced: list[LabelledTransition] = []
    quotas = {ids[0]: (43, 43, 42), ids[1]: (43, 42, 43)}
    for t, id in enumerate(ids):
        kinds = (*PAPER, "none")
        for k, (kind, quota) in enumerate(zip(kinds, quotas[id], strict=True)):
            # Idle steps come with every player; keys and doors with those who get that far.
            crew = KEYROOM_PLAYERS[: 3 if kind == "none" else 2]
            source = steps(id, crew, seed=100 + 10 * t + k)
            balanced += picker.one_an_episode(source, _is_kind(kind), quota)
    natural: list[LabelledTransition] = []
    for t, id in enumerate(ids):
        for p, player in enumerate(KEYROOM_PLAYERS):
            natural += picker.sample(steps(id, player, seed=200 + 10 * t + p), 20, 350)
    whole = {id: find_task(id) for id in ids}
    two = {
        id: replace(task, subgoals=tuple(s for s in task.subgoals if s.name in PAPER))
        for id, task in whole.items()
    }
    return {"balanced": Part(balanced, two), "natural": Part(natural, whole)}


def _is_kind(kind: str) -> Callable[[LabelledTransition], bool]:
    """Returns a function that returns whether a row is of a class of the paper's design."""
    return lambda row: row.kind(PAPER) == kind


HARD = "MiniHack-Quest-Hard-v0"
"""The task whose episodes last hundreds of steps."""
MINIHACK = (
    "MiniHack-River-v0",
    "MiniHack-River-Lava-v0",
    "MiniHack-Corridor-R3-v0",
    "MiniHack-MazeWalk-9x9-v0",
    "MiniHack-Room-Ultimate-15x15-v0",
    "MiniHack-Quest-Easy-v0",
    "MiniHack-Quest-Medium-v0",
    *(f"MiniHack-{skill}-v0" for skill in ("Eat", "Wear", "Wield", "Zap")),
    HARD,
)


def minihack() -> dict[str, Part]:
    """Plays minihack-v1; returns its parts by name.

    Of each task: `picked`, up to 8 rows a subgoal and player and 6 idle ones a player, and
    `natural`, 120 steps as they come. The hard quest is played longer, since one episode lasts
    hundreds of steps.
    """
    picker = Picker(seed=1012)
    picked: list[LabelledTransition] = []
    natural: list[LabelledTransition] = []
    tasks = {id: find_task(id) for id in MINIHACK}
    for t, (id, task) in enumerate(tasks.items()):
        crew = ("quester", "sloppy", "random") if "Quest" in id else PLAYERS
        names = [s.name for s in task.subgoals]
        for p, player in enumerate(crew):
            most = 6000 if id == HARD and player == "quester" else 1200
            rows = list(islice(steps(id, player, 1000 + 10 * t + p), most))
            picked += picker.first_of_each(rows, names, 8)
            picked += picker.idle(rows, 6)
        for p, player in enumerate(crew):
            natural += picker.sample(steps(id, player, 2000 + 10 * t + p), 10, 40)
    return {"picked": Part(picked, tasks), "natural": Part(natural, tasks)}


SETS: Mapping[str, Callable[[], dict[str, Part]]] = {
    "keyroom-v1": keyroom,
    "minihack-v1": minihack,
    "minihack-v2": minihack_v2,
}


def build(name: str, folder: Path) -> None:
    """Writes a set into a folder: parts, manifest, card.

    Args:
        name: one of `SETS`.
        folder: new, or without parquet files.

    Raises:
        UsageError: no such set, or the folder holds something already: a set never changes.
    """
    if name not in SETS:
        raise unknown("data set", name, SETS)
    if any(folder.glob("*.parquet")):
        raise UsageError(f"{folder} holds data already; a set never changes in place")
    parts = {
        name_of_part: write_part(folder, name_of_part, part.rows, part.tasks)
        for name_of_part, part in SETS[name]().items()
    }
    about = {
        "made_by": f"calm data build {name}",
        "versions": versions(),
        "licence": "Apache-2.0",
        "data_levels": [SPLITS["data"].start, SPLITS["data"].stop],
    }
    write_manifest(folder, name, parts, about)


def differing_parts(name: str, folder: Path) -> list[str]:
    """Builds a set anew in a scratch folder and compares it with the one in `folder`.

    Returns:
        Names of the parts whose bytes differ; an empty list where all are identical.
    """
    with tempfile.TemporaryDirectory() as scratch:
        build(name, Path(scratch))
        built, shipped = read_manifest(Path(scratch)), read_manifest(folder)
    return [p for p in shipped["parts"] if built["parts"].get(p) != shipped["parts"][p]]

"""Describes tasks in words: MiniHack's KeyRoom, Corridor, Room, River, MazeWalk and Quest.

For each its id, goal, given subgoals, actions in English and legend. The subgoals name the steps
between as well as the deeds, in the order a player meets them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from calm.records import Task
from envs.game import actions
from envs.subgoals import SUBGOALS

_STAIRS = ("stand next to the staircase down", "reach the staircase down")
_KEY = ("stand next to the key", "pick up the key")
_DOOR = ("stand next to the locked door with the key", "open the locked door")

_KEYROOM_S5 = (
    "come within 2 steps of the key",
    *_KEY,
    "come within 2 steps of the locked door with the key",
    *_DOOR,
    *_STAIRS,
)
_KEYROOM_S15 = (
    # These distances are the ones measured to make S15 learnable.
    *(f"come within {n} steps of the key" for n in (8, 4, 2)),
    *_KEY,
    *(f"come within {n} steps of the locked door with the key" for n in (8, 4, 2)),
    *_DOOR,
    "come within 4 steps of the staircase down",
    *_STAIRS,
)
_CORRIDOR = (
    "step into a doorway",
    "step into a corridor",
    "step into a room",
    "find the staircase down",
    "come within 4 steps of the staircase down",
    *_STAIRS,
)
_ROOM_SMALL = ("come within 2 steps of the staircase down", *_STAIRS)
_ROOM_LARGE = (*(f"come within {n} steps of the staircase down" for n in (8, 4, 2)), *_STAIRS)
_RIVER = (
    "come within 2 steps of a boulder",
    "stand next to a boulder",
    "push a boulder",
    "fill water or lava with a boulder",
    "cross the water or lava",
    "come within 4 steps of the staircase down",
    *_STAIRS,
)
_MAZE = (*(f"come within {n} steps of the staircase down" for n in (8, 4)), *_STAIRS)
_QUEST_EASY = (
    "turn lava into solid ground",
    "cross the water or lava",
    "find the staircase down",
    "come within 4 steps of the staircase down",
    *_STAIRS,
)
_QUEST_MEDIUM = (
    "kill a monster",
    "stand next to the lava",
    "turn lava into solid ground",
    "cross the water or lava",
    "find the staircase down",
    *_STAIRS,
)
_QUEST_HARD = (
    "pick up an object",
    "stand next to the lava",
    "turn lava into solid ground",
    "float in the air",
    "cross the water or lava",
    "kill a monster",
    "find the staircase down",
    *_STAIRS,
)

_GROUND = {
    ".": "floor",
    "|": "wall, or an open door",
    "-": "wall, or an open door",
    "@": "the hero",
    "<": "staircase up",
    ">": "staircase down",
}
_DOORS = {"+": "closed door", "#": "corridor"}
_MONSTERS = {"letters": "monsters"}

_REACH = "Reach the staircase down (`>`)"


class _Family:
    """What the tasks of one kind share: goal, actions in English, and the legend of the map."""

    def __init__(
        self,
        goal: str,
        action_set: Sequence[enum.IntEnum],
        legend: Mapping[str, str],
    ) -> None:
        self.goal = goal
        self.actions = tuple(actions.english(a) for a in action_set)
        self.legend = legend


_FAMILIES = {
    "KeyRoom": _Family(
        "Pick up the key, open the locked door of the inner room with it, and reach the staircase"
        " down behind the door.",
        actions.KEYROOM,
        {**_GROUND, "+": "closed door", "(": "useful item, here the key"},
    ),
    "Corridor": _Family(
        f"{_REACH}, which lies in another room at the end of corridors.",
        actions.CORRIDOR,
        {**_GROUND, **_DOORS},
    ),
    "Room": _Family(
        f"{_REACH} somewhere in the room, alive.",
        actions.MOVES,
        {**_GROUND, "^": "trap", **_MONSTERS},
    ),
    "River": _Family(
        f"{_REACH} on the other side of the river, pushing boulders into it to make a way across.",
        actions.MOVES,
        {**_GROUND, "`": "boulder", "}": "water or lava", **_MONSTERS},
    ),
    "MazeWalk": _Family(f"{_REACH} of the maze.", actions.MOVES, _GROUND),
    "Quest-Easy": _Family(
        f"{_REACH} behind a river of lava: freeze a way across with the wand or the horn in the"
        " inventory, which make cold.",
        actions.SKILLS,
        {},
    ),
    "Quest-Medium": _Family(
        f"{_REACH} behind the monsters and a river of lava: fight the monsters or freeze them, and"
        " freeze a way across, with the wand and the horn in the inventory, which make cold.",
        actions.SKILLS,
        {},
    ),
    "Quest-Hard": _Family(
        f"{_REACH} behind a maze, a river of lava and a guarding monster: take what lies in the"
        " first room, which kills the monster and helps across the lava by freezing it or by"
        " levitation.",
        actions.SKILLS,
        {},
    ),
}
EVERYTHING = {
    **_GROUND,
    **_DOORS,
    "}": "water or lava",
    "/": "wand",
    "(": "tool, such as a horn",
    "=": "ring",
    "!": "potion",
    "[": "armor",
    "^": "trap",
    **_MONSTERS,
}
"""Every symbol that a map of these tasks may show, and what it means."""

_TABLE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    # family, rest of the id, subgoals
    ("KeyRoom", "Fixed-S5", _KEYROOM_S5),
    ("KeyRoom", "S5", _KEYROOM_S5),
    ("KeyRoom", "Dark-S5", _KEYROOM_S5),
    ("KeyRoom", "S15", _KEYROOM_S15),
    ("KeyRoom", "Dark-S15", _KEYROOM_S15),
    *(("Corridor", f"R{n}", _CORRIDOR) for n in (2, 3, 5)),
    *(
        ("Room", f"{variant}{size}x{size}", subgoals)
        for size, subgoals in ((5, _ROOM_SMALL), (15, _ROOM_LARGE))
        for variant in ("", "Random-", "Dark-", "Monster-", "Trap-", "Ultimate-")
    ),
    *(("River", variant, _RIVER) for variant in ("", "Monster", "Lava", "MonsterLava", "Narrow")),
    *(
        ("MazeWalk", f"{mapped}{size}", _MAZE if mapped else ("find the staircase down", *_MAZE))
        for size in ("9x9", "15x15", "45x19")
        for mapped in ("", "Mapped-")
    ),
    ("Quest-Easy", "", _QUEST_EASY),
    ("Quest-Medium", "", _QUEST_MEDIUM),
    ("Quest-Hard", "", _QUEST_HARD),
)


def _id(family: str, rest: str) -> str:
    """Returns MiniHack's id of a task, from its family and the rest of its name."""
    return "-".join(part for part in ("MiniHack", family, rest, "v0") if part)


def legend_text(symbols: Mapping[str, str]) -> str:
    """Returns symbols with their meanings, one a line, as a judge reads them."""
    return "\n".join(f"{symbol}  {meaning}" for symbol, meaning in symbols.items())


def _build(family: str, rest: str, names: Iterable[str]) -> Task:
    """Returns a task of a family, with the subgoals of these names."""
    shared = _FAMILIES[family]
    return Task(
        id=_id(family, rest),
        goal=shared.goal,
        subgoals=tuple(SUBGOALS[name] for name in names),
        actions=shared.actions,
        legend=legend_text(shared.legend or EVERYTHING),
    )


TASKS: Mapping[str, Task] = MappingProxyType(
    {_id(family, rest): _build(family, rest, names) for family, rest, names in _TABLE}
)
"""Every task by MiniHack's id."""

"""Names actions in English, and lists the action sets of the tasks.

An action has a name ("move east") and a kind ("move"). An `events` description has the kind alone:
where the hero went shows in what changed.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from nle import nethack

_COMPASS = {
    "N": "north",
    "E": "east",
    "S": "south",
    "W": "west",
    "NE": "northeast",
    "SE": "southeast",
    "SW": "southwest",
    "NW": "northwest",
}

_STEPS = (
    nethack.CompassDirection,
    nethack.CompassCardinalDirection,
    nethack.CompassIntercardinalDirection,
)
_LONGER = (
    nethack.CompassDirectionLonger,
    nethack.CompassCardinalDirectionLonger,
    nethack.CompassIntercardinalDirectionLonger,
)
_ENGLISH = {
    "PICKUP": "pick up",
    "APPLY": "apply",
    "EXTCMD": "extended command",
    "EXTLIST": "list extended commands",
    "PUTON": "put on",
    "TAKEOFF": "take off",
    "TAKEOFFALL": "take off all",
    "TWOWEAPON": "two-weapon combat",
    "TURN": "turn undead",
    "RIDE": "ride",
    "RUSH2": "rush around corners",
    "MOVE": "move without picking up",
    "MOVEFAR": "move far without picking up",
    "AUTOPICKUP": "toggle autopickup",
    "WHATDOES": "ask what a key does",
    "WHATIS": "ask what a symbol is",
    "KNOWNCLASS": "list discoveries of a class",
    "SEEALL": "see all equipment",
    "SEEAMULET": "see amulet",
    "SEEARMOR": "see armor",
    "SEEGOLD": "see gold",
    "SEERINGS": "see rings",
    "SEESPELLS": "see spells",
    "SEETOOLS": "see tools",
    "SEETRAP": "see trap",
    "SEEWEAPON": "see weapon",
    "MORE": "continue",
    "ESC": "cancel",
}


def english(action: enum.IntEnum) -> str:
    """Returns the English name of one of nle's actions: "move east", "move far east", "pick up"."""
    if isinstance(action, _STEPS):
        return f"move {_COMPASS[action.name]}"
    if isinstance(action, _LONGER):
        return f"move far {_COMPASS[action.name]}"
    if isinstance(action, nethack.MiscDirection):
        return {"UP": "go up", "DOWN": "go down", "WAIT": "wait"}[action.name]
    if isinstance(action, nethack.TextCharacters):
        return "press space" if chr(action) == " " else f"press {chr(action)}"
    return _ENGLISH.get(action.name, action.name.lower().replace("_", " "))


def kind(name: str) -> str:
    """Returns the kind of an action from its English name: the name without its direction.

    >>> kind("move east"), kind("move far east"), kind("pick up")
    ('move', 'move far', 'pick up')
    """
    words = name.split()
    return " ".join(words[:-1]) if words[-1] in _COMPASS.values() else name


DIRECTIONS: Mapping[str, tuple[int, int]] = MappingProxyType({
    "N": (-1, 0), "E": (0, 1), "S": (1, 0), "W": (0, -1),
    "NE": (-1, 1), "SE": (1, 1), "SW": (1, -1), "NW": (-1, -1),
})  # fmt: skip
"""(dy, dx), rows down and columns to the right, by nle's names, in the order of nle's eight."""
MOVES: tuple[enum.IntEnum, ...] = tuple(nethack.CompassDirection)
"""The eight directions, MiniHack's navigation tasks."""
KEYROOM: tuple[enum.IntEnum, ...] = (*MOVES, nethack.Command.PICKUP, nethack.Command.APPLY)
"""The moves, to take a key and to use it, MiniHack's KeyRoom tasks."""
CORRIDOR: tuple[enum.IntEnum, ...] = (
    *MOVES,
    nethack.Command.OPEN,
    nethack.Command.KICK,
    nethack.Command.SEARCH,
)
"""The moves, and what finds hidden and closed doors, MiniHack's Corridor tasks."""
SKILLS: tuple[enum.IntEnum, ...] = tuple(
    a for a in nethack.USEFUL_ACTIONS if a is not nethack.MiscDirection.UP
)
"""All useful actions, MiniHack's skill tasks."""

BY_NAME: Mapping[str, enum.IntEnum] = MappingProxyType({english(a): a for a in nethack.ACTIONS})
"""Every action of nle by its English name."""

"""Names goal and given subgoals of MiniHack's families that `described` has not.

No subgoal is of one family alone: the truth of each, and what the judge `rules` looks for, go by
the names in `envs.subgoals`. Deeds that MiniHack itself looks for are in `skills`.

Memento's cue is in view from the first observation on, so that no step achieves seeing it: to take
the branch that it names is the subgoal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from calm.records import Subgoal
from envs.subgoals import SUBGOALS

_STAIRS = ("stand next to the staircase down", "reach the staircase down")
_NEAR = ("come within 4 steps of the staircase down", *_STAIRS)
_IN_VIEW = ("come within 8 steps of the staircase down", *_NEAR)
_FIND = ("find the staircase down", *_NEAR)
_LAVA = ("stand next to the lava", "cross the water or lava", *_NEAR)
_REACH = "Reach the staircase down (`>`)"


class _Family(NamedTuple):
    """Tasks of one goal."""

    ids: str
    """Pattern of their ids, without `MiniHack-` and `-v0`."""
    goal: str
    subgoals: Sequence[str]
    """Names, of `envs.subgoals`."""


_ROOMS = ("step into a doorway", "step into a room", *_FIND)
_PUSH = ("come within 2 steps of a boulder", "stand next to a boulder", "push a boulder")
_BUG = (
    "Kill the grid bug that sleeps at the end of one branch of the corridor, and keep off the"
    " squeaky boards in the other branches; which monster is caged beside the start says which"
    " branch it is."
)
_MEMENTO = ("stand next to a monster", "kill the grid bug")
_FAMILIES = (
    _Family("Memento(-Short)?-F2", _BUG, ("take the right one of two branches", *_MEMENTO)),
    _Family("Memento-F4", _BUG, ("take the right one of four branches", *_MEMENTO)),
    _Family(
        "Sokoban[1-4][ab]",
        f"{_REACH} once every pit is filled: push a boulder into each.",
        (*_PUSH, "fill a pit with a boulder", *_NEAR),
    ),
    _Family(
        "Boxoban-(Unfiltered|Medium|Hard)",
        "Push every boulder onto a fountain.",
        (*_PUSH, "push a boulder onto a fountain"),
    ),
    _Family("Labyrinth-(Big|Small)", f"{_REACH} of the labyrinth.", _FIND),
    _Family(
        "HideNSeek-Mapped",
        f"{_REACH} behind trees and clouds that block the sight, alive.",
        _IN_VIEW,
    ),
    _Family(
        "HideNSeek(-Big|-Lava)?",
        f"{_REACH}, hidden behind trees and clouds that block the sight, alive.",
        _FIND,
    ),
    _Family(
        "CorridorBattle(-Dark)?",
        f"{_REACH} in the room at the other end of the corridor, past six giant rats.",
        ("step into a corridor", "kill a giant rat", *_FIND),
    ),
    _Family(
        r"MultiRoom-N\d+(-Lava)?-OpenDoor",
        f"{_REACH} in the last of several rooms.",
        _ROOMS,
    ),
    _Family(
        r"MultiRoom-N\d+-(Monster|LavaMonsters|Extreme)",
        f"{_REACH} in the last of several rooms, opening the doors between them, alive.",
        ("open a door", "kill a monster", *_ROOMS),
    ),
    _Family(
        r"MultiRoom-N\d+-Locked",
        f"{_REACH} in the last of several rooms, kicking open the locked doors between them.",
        ("open a door", *_ROOMS),
    ),
    _Family(
        r"MultiRoom-N\d+(-Lava)?",
        f"{_REACH} in the last of several rooms, opening the doors between them.",
        ("open a door", *_ROOMS),
    ),
    _Family(
        r"LavaCrossingS\d+N\d+",
        f"{_REACH} through the gaps in strips of lava, without stepping into it.",
        ("cross a strip of lava", *_IN_VIEW),
    ),
    _Family(r"SimpleCrossingS\d+N\d+", f"{_REACH} through the gaps in walls.", _IN_VIEW),
    _Family(
        "ClosedDoor",
        f"{_REACH} in the inner room, opening its door.",
        ("open a door", "step into a doorway", *_FIND),
    ),
    _Family(
        "LockedDoor(-Fixed)?",
        f"{_REACH} in the other room, kicking open the locked door.",
        ("open a door", "step into a doorway", *_FIND),
    ),
    _Family(
        "WoD-Easy-(Full|Restricted)",
        "Kill the minotaur with the wand of death in the inventory.",
        ("kill the minotaur",),
    ),
    _Family(
        "WoD-(Medium|Hard|Pro)-(Full|Restricted)",
        "Kill the minotaur with the wand of death that lies here, and reach the staircase down.",
        ("pick up a wand", "kill the minotaur", *_FIND),
    ),
    _Family(
        "Levitate-(Boots|Ring|Potion|Random)-(Full|Restricted|Fixed)",
        "Float in the air by what lies in the room.",
        ("pick up an object", "float in the air"),
    ),
    _Family(
        "Freeze-Lava-(Full|Restricted)",
        f"{_REACH} behind the lava: freeze a way across with what is in the inventory.",
        ("turn lava into solid ground", *_LAVA),
    ),
    _Family(
        "LavaCross-Levitate-(Potion|Ring)-Inv-(Full|Restricted)",
        f"{_REACH} behind the lava: float across by what is in the inventory.",
        ("float in the air", *_LAVA),
    ),
    _Family(
        "LavaCross-Levitate-((Potion|Ring)-Pickup-)?(Full|Restricted)",
        f"{_REACH} behind the lava: take what lies on this side and float across by it.",
        ("pick up an object", "float in the air", *_LAVA),
    ),
    _Family(
        "LavaCross-(Full|Restricted)",
        f"{_REACH} behind the lava: take what lies on this side, and freeze a way across or float"
        " across by it.",
        ("pick up an object", "turn lava into solid ground", "float in the air", *_LAVA),
    ),
)

_STRIPS = {"S9N1": 1, "S9N2": 2, "S9N3": 3, "S11N5": 5, "S19N13": 13, "S19N17": 16}
_PITS = {"1a": 9, "1b": 10, "2a": 12, "2b": 15, "3a": 10, "3b": 11, "4a": 16, "4b": 18}
_COUNTED: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        **{f"CorridorBattle{dark}": {"kill a giant rat": 6} for dark in ("", "-Dark")},
        **{f"LavaCrossing{kind}": {"cross a strip of lava": n} for kind, n in _STRIPS.items()},
        **{f"Sokoban{level}": {"fill a pit with a boulder": n} for level, n in _PITS.items()},
        **{
            f"Boxoban-{kind}": {"push a boulder onto a fountain": 4}
            for kind in ("Unfiltered", "Medium", "Hard")
        },
    }
)
"""By name of a task, the subgoals that are to be done more than once, and how often."""


def words_of(id: str) -> tuple[str, tuple[Subgoal, ...]] | None:
    """Returns goal and given subgoals of a registered id, such as MiniHack-Labyrinth-Big-v0.

    None where its family is not listed here.
    """
    name = id.removeprefix("MiniHack-").rpartition("-v")[0]
    for family in _FAMILIES:
        if re.fullmatch(family.ids, name):
            counted = _COUNTED.get(name, {})
            subgoals = (replace(SUBGOALS[s], times=counted.get(s, 1)) for s in family.subgoals)
            return family.goal, tuple(subgoals)
    return None

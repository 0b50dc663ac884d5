"""Sorts the map's glyphs into the coarse kinds that descriptions speak of.

Tables indexed by nle's glyph id, built once from nle's own glyph functions and object classes.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from nle import nethack

ROWS, COLUMNS = 21, 79
"""The size of the map."""
CELLS = ROWS * COLUMNS

THINGS = (
    "nothing",
    "key",
    "closed door",
    "staircase down",
    "boulder",
    "lava",
    "wand",
    "horn",
    "object",
    "monster",
    "water",
    "open door",
    "staircase up",
    "trap",
    "altar",
    "sink",
)
"""Kinds of notable things; a kind's number is its place here, 0 is nothing of note."""

GROUNDS = ("unknown", "room", "corridor", "doorway")
"""Kinds of ground to stand on; 0 is any other, or not known."""

CARRIED = (
    "nothing",
    "key",
    "wand",
    "horn",
    "weapon",
    "piece of armor",
    "ring",
    "amulet",
    "tool",
    "piece of food",
    "potion",
    "scroll",
    "spellbook",
    "coins",
    "gem or stone",
    "object",
)
"""Kinds of objects in the inventory; 0 is an empty place."""

THING = {name: number for number, name in enumerate(THINGS)}
"""A kind's number in `THINGS`."""
GROUND = {name: number for number, name in enumerate(GROUNDS)}
"""A kind's number in `GROUNDS`."""

CARRIED_KEY = CARRIED.index("key")
"""The number of a key in `CARRIED`."""

PORTABLE = ("key", "wand", "horn", "object")
"""Kinds of things that can be taken."""
LIES_AS: tuple[int, ...] = tuple(THING.get(name, THING["object"]) for name in CARRIED)
"""By kind of what is carried, the kind of thing that it is when it lies on the ground."""

NO_GLYPH: int = nethack.MAX_GLYPH
"""5976, nle's id for "nothing here": an empty place in `inv_glyphs`, and in our crops a cell beyond
the map. One past every glyph, so never a monster's."""

GROUPS: tuple[tuple[str, int], ...] = (
    ("monsters", nethack.GLYPH_MON_OFF),
    ("pets", nethack.GLYPH_PET_OFF),
    ("unseen monsters", nethack.GLYPH_INVIS_OFF),
    ("detected monsters", nethack.GLYPH_DETECT_OFF),
    ("corpses", nethack.GLYPH_BODY_OFF),
    ("ridden monsters", nethack.GLYPH_RIDDEN_OFF),
    ("objects", nethack.GLYPH_OBJ_OFF),
    ("dungeon features", nethack.GLYPH_CMAP_OFF),
    ("explosions", nethack.GLYPH_EXPLODE_OFF),
    ("rays", nethack.GLYPH_ZAP_OFF),
    ("swallowed", nethack.GLYPH_SWALLOW_OFF),
    ("warnings", nethack.GLYPH_WARNING_OFF),
    ("statues", nethack.GLYPH_STATUE_OFF),
)
"""nle's groups of glyphs and their first ids, ascending."""

# Places of objects (objects[] in NetHack's objects.c), as glyphs.
_OBJECT = nethack.GLYPH_OBJ_OFF
SKELETON_KEY = _OBJECT + 196
"""The one object of KeyRoom whose name has "key" in it."""
HORNS = (_OBJECT + 224, _OBJECT + 225, _OBJECT + 226, _OBJECT + 227)
"""Tooled horn, frost horn, fire horn and horn of plenty: all look like a horn."""
FROST_HORN = HORNS[1]
BOULDER = _OBJECT + 447


def of_class(kind: int) -> tuple[int, ...]:
    """Returns the glyphs of all objects of one of nle's classes, such as `nethack.WAND_CLASS`."""
    return tuple(
        _OBJECT + number
        for number in range(nethack.NUM_OBJECTS)
        if ord(nethack.objclass(number).oc_class) == kind
    )


WANDS = of_class(nethack.WAND_CLASS)


@cache
def monster_glyph(name: str) -> int:
    """Returns the glyph of a kind of monster, such as "giant rat".

    Raises:
        ValueError: NetHack has none of this name.
    """
    names = [nethack.permonst(number).mname for number in range(nethack.NUMMONS)]
    return int(nethack.GLYPH_MON_OFF) + names.index(name)


# Places of the map's symbols (defsym in NetHack's drawing.c), as glyphs.
_CMAP = nethack.GLYPH_CMAP_OFF
STONE = _CMAP
"""A cell that nothing is known of."""
WALLS = tuple(range(_CMAP + 1, _CMAP + 12))
DOORWAY = _CMAP + 12
OPEN_DOORS = (_CMAP + 13, _CMAP + 14)
CLOSED_DOORS = (_CMAP + 15, _CMAP + 16)
ROOM_FLOORS = (_CMAP + 19, _CMAP + 20)
CORRIDORS = (_CMAP + 21, _CMAP + 22)
STAIRCASE_UP, STAIRCASE_DOWN = _CMAP + 23, _CMAP + 24
LADDER_UP, LADDER_DOWN = _CMAP + 25, _CMAP + 26
WATERS = (_CMAP + 32, _CMAP + 41)
ICE = _CMAP + 33
LAVA = _CMAP + 34
ALTAR, SINK, FOUNTAIN = _CMAP + 27, _CMAP + 30, _CMAP + 31
PITS = (_CMAP + 52, _CMAP + 53, _CMAP + 54)
"""Pit, spiked pit and hole."""

_OBJECT_CLASSES = {
    nethack.WEAPON_CLASS: "weapon",
    nethack.ARMOR_CLASS: "piece of armor",
    nethack.RING_CLASS: "ring",
    nethack.AMULET_CLASS: "amulet",
    nethack.TOOL_CLASS: "tool",
    nethack.FOOD_CLASS: "piece of food",
    nethack.POTION_CLASS: "potion",
    nethack.SCROLL_CLASS: "scroll",
    nethack.SPBOOK_CLASS: "spellbook",
    nethack.WAND_CLASS: "wand",
    nethack.COIN_CLASS: "coins",
    nethack.GEM_CLASS: "gem or stone",
}


def _carried(glyph: int) -> str:
    """Returns the kind in `CARRIED` of an object's glyph."""
    if nethack.glyph_is_body(glyph):
        return "piece of food"
    if not nethack.glyph_is_normal_object(glyph):
        return "object"
    kind = nethack.objclass(nethack.glyph_to_obj(glyph))
    # As a player sees it: every skeleton key is "key", every horn but the unicorn's is "horn".
    looks = nethack.OBJ_DESCR(kind)
    if looks in ("key", "horn"):
        return str(looks)
    return _OBJECT_CLASSES.get(ord(kind.oc_class), "object")


def _thing(glyph: int) -> str:
    """Returns the kind in `THINGS` that a glyph shows."""
    if nethack.glyph_is_object(glyph):  # statues and bodies too
        if nethack.glyph_is_normal_object(glyph):
            kind = nethack.objclass(nethack.glyph_to_obj(glyph))
            if nethack.OBJ_NAME(kind) == "boulder":
                return "boulder"
        carried = _carried(glyph)
        return carried if carried in THING else "object"
    if (
        nethack.glyph_is_monster(glyph)
        or nethack.glyph_is_invisible(glyph)
        or nethack.glyph_is_warning(glyph)
    ):
        return "monster"
    if nethack.glyph_is_trap(glyph):
        return "trap"
    return _FEATURES.get(glyph, "nothing")


_FEATURES = {
    **dict.fromkeys(CLOSED_DOORS, "closed door"),
    **dict.fromkeys(OPEN_DOORS, "open door"),
    **dict.fromkeys((STAIRCASE_UP, LADDER_UP), "staircase up"),
    **dict.fromkeys((STAIRCASE_DOWN, LADDER_DOWN), "staircase down"),
    **dict.fromkeys(WATERS, "water"),
    LAVA: "lava",
    ALTAR: "altar",
    SINK: "sink",
}


def _table(values: list[int]) -> npt.NDArray[np.uint8]:
    table = np.array(values, dtype=np.uint8)
    table.setflags(write=False)
    return table


_ALL = range(nethack.MAX_GLYPH + 1)

THING_OF_GLYPH: npt.NDArray[np.uint8] = _table(
    [THING[_thing(g)] if g < nethack.MAX_GLYPH else 0 for g in _ALL]
)
"""(MAX_GLYPH + 1,) uint8: number in `THINGS` by glyph."""

CARRIED_OF_GLYPH: npt.NDArray[np.uint8] = _table(
    [
        CARRIED.index(_carried(g)) if g < nethack.MAX_GLYPH and nethack.glyph_is_object(g) else 0
        for g in _ALL
    ]
)
"""(MAX_GLYPH + 1,) uint8: number in `CARRIED` by glyph."""


def _ground(glyph: int) -> int:
    """Returns the number in `GROUNDS` of the ground that a glyph shows."""
    if glyph in ROOM_FLOORS:
        return GROUND["room"]
    if glyph in CORRIDORS:
        return GROUND["corridor"]
    if glyph == DOORWAY or glyph in OPEN_DOORS:
        return GROUND["doorway"]
    return GROUND["unknown"]


GROUND_OF_GLYPH: npt.NDArray[np.uint8] = _table([_ground(g) for g in _ALL])
"""(MAX_GLYPH + 1,) uint8: number in `GROUNDS` by glyph."""

SOLID_OF_GLYPH: npt.NDArray[np.bool_] = np.isin(
    np.arange(nethack.MAX_GLYPH + 1), [*ROOM_FLOORS, *CORRIDORS, DOORWAY, ICE]
)
"""(MAX_GLYPH + 1,) bool: bare ground that anyone can walk on."""

PASSABLE_OF_GLYPH: npt.NDArray[np.bool_] = SOLID_OF_GLYPH | np.isin(
    np.arange(nethack.MAX_GLYPH + 1), OPEN_DOORS
)
"""(MAX_GLYPH + 1,) bool: bare ground or an open door."""


def group_of(glyphs: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
    """Returns each glyph's index in `GROUPS`; `len(GROUPS)` for unknown or beyond the map."""
    groups: npt.NDArray[np.intp] = _GROUP_OF[glyphs]
    return groups


def _groups() -> npt.NDArray[np.intp]:
    starts = [start for _, start in GROUPS]
    groups = np.searchsorted(starts, np.arange(NO_GLYPH + 1), "right") - 1
    groups[[STONE, NO_GLYPH]] = len(GROUPS)
    return groups


_GROUP_OF = _groups()

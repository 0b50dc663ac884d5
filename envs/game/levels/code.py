"""Levels as NetHack reads them, written without its compiler's process.

`lev_comp` compiles the text of a level to a list of pushed values, and of codes of what is made of
those pushed before. `LevelCode` writes the same bytes, for those lines of the language that the
levels of this package hold. `CheckedCompiler` makes sure of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Protocol

from envs.game.levels.compiler import lev_comp

Position = tuple[int, int]
"""Column and row, from 0, on the map as it is written."""

VERSION_BYTES = 40
"""What a compiled level starts with: the version of NetHack for which it was compiled."""

FLAGS = {
    name: 1 << bit
    for bit, name in enumerate(
        ("noteleport", "hardfloor", "nommap", "shortsighted", "arboreal", "mazelevel", "premapped",
         "shroud", "graveyard", "icedpools", "solidify", "corrmaze", "inaccessibles")
    )
}  # fmt: skip
"""Flags of a level."""
DOORS = {"nodoor": 0, "open": 2, "closed": 4, "locked": 8, "random": -1}
"""States of a door."""

_TERRAIN = str.maketrans({" ": 1, "|": 2, "F": 22, "+": 23, "L": 21, ".": 25})
"""Types of NetHack's map, one more than its own numbers: no byte of a text is 0."""
_TELEPORT_TRAP = 15
_BOULDER = 457 << 8 | 1  # of whatever class

# Codes of NetHack 3.6's compiled levels: kinds of values, and what is made of those pushed before.
_PUSH = 40
_NUMBER, _TEXT, _PLACE, _AREA, _MONSTER_KIND, _OBJECT_KIND = 1, 2, 4, 5, 7, 8
_MONSTER, _OBJECT, _DOOR, _STAIR, _FOUNTAIN, _TRAP = 2, 3, 7, 8, 11, 14
_LEVEL_REGION, _WALLIFY, _MAP, _REGION, _END_REGION = 17, 22, 23, 25, 38
_INITIALIZE, _FLAGS, _POINT = 58, 59, 64
_ANYWHERE = 1 << 24
_NO_MORE_OF_MONSTER, _PLACE_OF_OBJECT, _NO_MORE_OF_OBJECT = 16, 15, 14
_VALUE, _LENGTH, _OPERATION, _COUNT = (struct.Struct(f"<{f}") for f in ("ibq", "ibi", "i", "q"))


class LevelCode:
    """A compiled level while it is written; most methods write a line of the language.

    Args:
        version: the first `VERSION_BYTES` of a level that `lev_comp` has compiled.
    """

    def __init__(self, version: bytes) -> None:
        self._version = version
        self._pieces: list[bytes] = []
        self._operations = 0

    def maze(self, flags: Iterable[str], rows: Sequence[str]) -> None:
        """Fills the level with rock, and puts a map of lit places into its middle.

        Args:
            flags: keys of `FLAGS`.
            rows: of one length, in MiniHack's characters.
        """
        width, height = len(rows[0]), len(rows)
        self._numbers(1, 127, 0, 0, 0, 0, 0, 0)
        self._do(_INITIALIZE)
        self._numbers(ord(" "))
        self._do(_FLAGS)
        self._numbers(reduce(or_, (FLAGS[flag] for flag in flags)))
        self._do(_FLAGS)
        self._numbers(1, 0, 0, -2, 0, 0, 0, 0)
        self._do(_INITIALIZE)
        self._push(_PLACE, 3 | 3 << 16)  # in the middle
        self._numbers(1, 1)
        self._text("".join(rows).translate(_TERRAIN))
        self._numbers(height, width)
        self._do(_MAP)
        self._push(_AREA, width << 16 | height << 24)
        self._numbers(1, 0, 1)  # lit, ordinary, not a room
        self._do(_REGION)
        self._do(_END_REGION)

    def start(self, x: int, y: int) -> None:
        """Puts the hero there: a branch of the dungeon at that place, and at no other."""
        for a, b in ((x, y), (abs(x - 1), abs(y - 1))):
            self._numbers(a, b, a, b, 0)
        self._numbers(3, 0)
        self._text("")
        self._do(_LEVEL_REGION)

    def stairs_down(self, place: Position | None) -> None:
        """Puts a staircase down; anywhere if no place is given."""
        self._place(place)
        self._numbers(0)
        self._do(_STAIR)

    def door(self, place: Position, state: str) -> None:
        """Puts a door in a state that is a key of `DOORS`."""
        self._place(place)
        self._do(_POINT)
        self._numbers(DOORS[state])
        self._do(_DOOR)

    def fountain(self, place: Position) -> None:
        """Puts a fountain."""
        self._place(place)
        self._do(_POINT)
        self._do(_FOUNTAIN)

    def boulder(self, place: Position) -> None:
        """Puts a boulder."""
        self._push(_OBJECT_KIND, _BOULDER)
        self._numbers(_PLACE_OF_OBJECT)
        self._place(place)
        self._numbers(_NO_MORE_OF_OBJECT, 0)
        self._do(_OBJECT)

    def any_monster(self) -> None:
        """Puts a monster of any kind anywhere."""
        self._push(_MONSTER_KIND, -1)
        self._place(None)
        self._numbers(_NO_MORE_OF_MONSTER, 0)
        self._do(_MONSTER)

    def teleport_trap(self) -> None:
        """Puts a teleport trap anywhere."""
        self._place(None)
        self._numbers(_TELEPORT_TRAP)
        self._do(_TRAP)

    def wallify(self) -> None:
        """Turns walls amid walls into rock, on the whole map."""
        self._push(_AREA, 0xFFFFFFFF)
        self._numbers(0)
        self._do(_WALLIFY)

    def finish(self) -> bytes:
        """Returns the compiled level."""
        return self._version + _COUNT.pack(self._operations) + b"".join(self._pieces)

    def _push(self, kind: int, value: int) -> None:
        self._pieces.append(_VALUE.pack(_PUSH, kind, value))
        self._operations += 1

    def _numbers(self, *numbers: int) -> None:
        for number in numbers:
            self._push(_NUMBER, number)

    def _place(self, place: Position | None) -> None:
        self._push(_PLACE, _ANYWHERE if place is None else place[0] | place[1] << 16)

    def _text(self, text: str) -> None:
        self._pieces += _LENGTH.pack(_PUSH, _TEXT, len(text)), text.encode("latin-1")
        self._operations += 1

    def _do(self, operation: int) -> None:
        self._pieces.append(_OPERATION.pack(operation))
        self._operations += 1


class Level(Protocol):
    """A level that can be written in either form."""

    def des_file(self) -> str:
        """Returns the level in the language that `lev_comp` reads."""

    def encode(self, version: bytes) -> bytes:
        """Returns the level as `lev_comp` compiles it, see `LevelCode`."""


class CheckedCompiler:
    """Compiles levels by their `encode`, or by `lev_comp` if the two differ on the first.

    Args:
        first: a level of the kind that will be compiled.

    Raises:
        GameError: it does not compile.
    """

    def __init__(self, first: Level) -> None:
        compiled = lev_comp(first.des_file())
        self.version = compiled[:VERSION_BYTES]
        """What every compiled level starts with."""
        self._encodes = first.encode(self.version) == compiled

    def compile(self, level: Level) -> bytes:
        """Returns the compiled level.

        Raises:
            GameError: it does not compile, where `lev_comp` is used.
        """
        return level.encode(self.version) if self._encodes else lev_comp(level.des_file())

"""One level of the kind that MiniHack makes of minigrid's grids, as text and as NetHack reads it.

The text is MiniHack's (minihack/envs/minigrid.py, minihack/level_generator.py). NetHack's
`lev_comp` compiles such a text to a list of pushed values and codes of what is made of them;
`encode` writes the same bytes without a process.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

Position = tuple[int, int]
"""Column and row, from 0, on the map as it is written."""

VERSION_BYTES = 40
"""What a compiled level starts with: the version of NetHack for which it was compiled."""

_DOORS = {"nodoor": 0, "open": 2, "closed": 4, "locked": 8, "random": -1}
_TERRAIN = str.maketrans({" ": 1, "|": 2, "+": 23, "L": 21, ".": 25})
"""Types of NetHack's map, one more than its own numbers: no byte of a text is 0."""
_TELEPORT_TRAP = 15


@dataclass(frozen=True, slots=True)
class GridLevel:
    """A map, what stands on it, and how many monsters and traps are strewn over it."""

    rows: tuple[str, ...]
    """Of one length; in MiniHack's characters."""
    start: Position
    goal: Position | None
    """Of the staircase down; None leaves it to the game."""
    doors: tuple[Position, ...]
    door_state: str
    """A key of `_DOORS`."""
    monsters: int
    traps: int

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the map."""
        return len(self.rows[0]), len(self.rows)

    def des_file(self) -> str:
        """Returns the level in the language that `lev_comp` reads, to the letter as MiniHack."""
        (width, height), (x, y) = self.size, self.start
        lines = [
            "", 'MAZE: "mylevel", \' \'', "FLAGS:hardfloor", "INIT_MAP: solidfill,' '",
            "GEOMETRY:center,center", "MAP", *self.rows, "ENDMAP",
            f'REGION:(0,0,{width},{height}),lit,"ordinary"',
            f"STAIR:{self.goal or 'random'},down",
            f"BRANCH:({x},{y},{x},{y}),({abs(x - 1)},{abs(y - 1)},{abs(x - 1)},{abs(y - 1)})",
            *(f"DOOR:{self.door_state},{door}" for door in self.doors),
            "WALLIFY",
            *["MONSTER:random,random"] * self.monsters,
            *['TRAP:"teleport",random'] * self.traps,
            "",
        ]  # fmt: skip
        return "\n".join(lines)

    def encode(self, version: bytes) -> bytes:
        """Returns the level as `lev_comp` compiles it.

        Args:
            version: the first `VERSION_BYTES` of a level that it has compiled.
        """
        (width, height), (x, y) = self.size, self.start
        code = _Code()
        for number in (1, 127, 0, 0, 0, 0, 0, 0):  # fill the level with solid rock
            code.push_number(number)
        code.do(_INITIALIZE)
        code.push_number(ord(" "))
        code.do(_FLAGS)
        code.push_number(2)  # hardfloor
        code.do(_FLAGS)
        for number in (1, 0, 0, -2, 0, 0, 0, 0):
            code.push_number(number)
        code.do(_INITIALIZE)
        code.push(_PLACE, 3 | 3 << 16)  # the map's place: in the middle
        code.push_number(1)
        code.push_number(1)
        code.push_text("".join(self.rows).translate(_TERRAIN))
        code.push_number(height)
        code.push_number(width)
        code.do(_MAP)
        code.push(_AREA, width << 16 | height << 24)
        for number in (1, 0, 1):  # lit, ordinary, not a room
            code.push_number(number)
        code.do(_REGION)
        code.do(_END_REGION)
        code.push_place(self.goal)
        code.push_number(0)  # down
        code.do(_STAIR)
        for a, b in (self.start, (abs(x - 1), abs(y - 1))):  # there, and not there
            for number in (a, b, a, b, 0):
                code.push_number(number)
        code.push_number(3)  # a branch of the dungeon
        code.push_number(0)
        code.push_text("")
        code.do(_LEVEL_REGION)
        for door in self.doors:
            code.push_place(door)
            code.do(_POINT)
            code.push_number(_DOORS[self.door_state])
            code.do(_DOOR)
        code.push(_AREA, 0xFFFFFFFF)  # the whole map
        code.push_number(0)
        code.do(_WALLIFY)
        for _ in range(self.monsters):
            code.push(_MONSTER_KIND, -1)  # any
            code.push_place(None)
            code.push_number(16)  # nothing more is said of it
            code.push_number(0)
            code.do(_MONSTER)
        for _ in range(self.traps):
            code.push_place(None)
            code.push_number(_TELEPORT_TRAP)
            code.do(_TRAP)
        return version + code.finish()


# Codes of NetHack 3.6's compiled levels: kinds of values, and what is made of those pushed before.
_PUSH = 40
_NUMBER, _TEXT, _PLACE, _AREA, _MONSTER_KIND = 1, 2, 4, 5, 7
_MONSTER, _DOOR, _STAIR, _TRAP, _LEVEL_REGION, _WALLIFY = 2, 7, 8, 14, 17, 22
_MAP, _REGION, _END_REGION, _INITIALIZE, _FLAGS, _POINT = 23, 25, 38, 58, 59, 64
_ANYWHERE = 1 << 24
_VALUE, _LENGTH, _OPERATION, _COUNT = (struct.Struct(f"<{f}") for f in ("ibq", "ibi", "i", "q"))


class _Code:
    """A compiled level while it is written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._operations = 0

    def push(self, kind: int, value: int) -> None:
        self._pieces.append(_VALUE.pack(_PUSH, kind, value))
        self._operations += 1

    def push_number(self, number: int) -> None:
        self.push(_NUMBER, number)

    def push_place(self, place: Position | None) -> None:
        self.push(_PLACE, _ANYWHERE if place is None else place[0] | place[1] << 16)

    def push_text(self, text: str) -> None:
        self._pieces += _LENGTH.pack(_PUSH, _TEXT, len(text)), text.encode("latin-1")
        self._operations += 1

    def do(self, operation: int) -> None:
        self._pieces.append(_OPERATION.pack(operation))
        self._operations += 1

    def finish(self) -> bytes:
        return _COUNT.pack(self._operations) + b"".join(self._pieces)


def read_grid(grid_env: Any, wall: str, door_state: str, monsters: int, traps: int) -> GridLevel:
    """Returns the level that MiniHack makes of a minigrid environment's grid.

    Its lowest row is left out, and so are rows in which there is nothing; those above the first row
    in which there is something shift the positions up.

    Args:
        grid_env: minigrid's environment, unwrapped.
        wall: MiniHack's character for a wall.
        door_state, monsters, traps: as in `GridLevel`.
    """
    signs = {"wall": wall, "door": "+", "floor": ".", "lava": "L", "goal": "."}
    cells, width, height = grid_env.grid.grid, grid_env.grid.width, grid_env.grid.height
    goal: Position | None = None
    doors: list[Position] = []
    rows: list[str] = []
    above, begun = 0, False
    for y in range(height):
        row = cells[y * width : (y + 1) * width]
        if not any(row):
            above += not begun
            continue
        begun = True
        characters = ["."] * width
        for x in [x for x, cell in enumerate(row) if cell is not None]:
            kind = row[x].type
            characters[x] = signs.get(kind, "")
            if kind == "door":
                doors.append((x, y - above))
            elif kind == "goal":
                goal = x, y - above
        text = "".join(characters)
        if y < height - 1 and text.strip("."):
            # Outside of the first and the last wall there is rock.
            text = text.replace(".", " ", text.index(wall))[::-1]
            rows.append(text.replace(".", " ", text.index(wall))[::-1])
    x, y = (int(coordinate) for coordinate in grid_env.agent_pos)
    longest = max(map(len, rows))
    return GridLevel(
        tuple(row.ljust(longest) for row in rows),
        (x, y - above),
        goal,
        tuple(doors),
        door_state,
        monsters,
        traps,
    )

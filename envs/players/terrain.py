"""Remembers what a scripted player has seen of a level, and finds ways over it.

Cells are (y, x); moves are indices into `MOVES`, the order of nle's eight
compass actions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.game.actions import DIRECTIONS
from envs.game.glyphs import (
    CLOSED_DOORS,
    COLUMNS,
    DOORWAY,
    OPEN_DOORS,
    ROOM_FLOORS,
    ROWS,
    SOLID_OF_GLYPH,
    STONE,
    THING,
    THING_OF_GLYPH,
)

Cell = tuple[int, int]

MOVES: tuple[Cell, ...] = tuple(DIRECTIONS.values())
"""(dy, dx) of north, east, south, west, northeast, southeast, southwest, northwest."""


_DOORS = (DOORWAY, *OPEN_DOORS)
_WALKABLE = SOLID_OF_GLYPH.copy()
_WALKABLE[np.isin(THING_OF_GLYPH, [THING[k] for k in ("key", "wand", "horn", "object")])] = True
_WALKABLE[np.isin(THING_OF_GLYPH, [THING[k] for k in ("monster", "open door")])] = True
_WALKABLE[np.isin(THING_OF_GLYPH, [THING[k] for k in ("staircase down", "staircase up")])] = True
_FLOATABLE = _WALKABLE | np.isin(THING_OF_GLYPH, [THING["water"], THING["lava"]])


class Terrain:
    """Remembers the level of one episode."""

    def __init__(self) -> None:
        self.glyphs: npt.NDArray[np.int16] = np.full((ROWS, COLUMNS), STONE, np.int16)
        """(21, 79) the last glyph seen at each cell; what is under the hero stays."""
        self.hero: Cell = (0, 0)
        self.visits: npt.NDArray[np.int32] = np.zeros((ROWS, COLUMNS), np.int32)
        """(21, 79) steps for which the hero has stood on each cell."""
        self.afloat = False
        """Whether the hero floats: it can then cross water and lava."""
        self.searched: npt.NDArray[np.int32] = np.zeros((ROWS, COLUMNS), np.int32)

    def look(self, glyphs: npt.NDArray[Any], blstats: npt.NDArray[Any]) -> None:
        """Takes in one observation: glyphs (21, 79) and blstats (27,)."""
        new = glyphs != STONE  # cells out of sight in the dark may fall blank again
        y, x = int(blstats[1]), int(blstats[0])
        under = self.glyphs[y, x]
        self.glyphs[new] = glyphs[new]
        self.hero = (y, x)
        # The hero's own glyph hides the ground: keep what was seen there, or take it for floor.
        if under == STONE or THING_OF_GLYPH[under] in (THING["monster"], THING["boulder"]):
            under = ROOM_FLOORS[0]
        self.glyphs[y, x] = under
        self.visits[y, x] += 1

    def find(self, thing: str) -> list[Cell]:
        """Returns the cells where the map shows a kind of thing, without the hero's own."""
        at = np.argwhere(THING_OF_GLYPH[self.glyphs] == THING[thing])
        return [(int(y), int(x)) for y, x in at]

    def is_door(self, cell: Cell) -> bool:
        """Returns whether a cell is a doorway, or a door, open or closed."""
        return int(self.glyphs[cell]) in (*_DOORS, *CLOSED_DOORS)

    def walkable(self, cell: Cell) -> bool:
        """Returns whether the hero can stand on a cell."""
        table = _FLOATABLE if self.afloat else _WALKABLE
        return bool(table[self.glyphs[cell]])

    def steps(self, cell: Cell, enter_closed: bool = False) -> Iterator[tuple[int, Cell]]:
        """Yields the moves from a cell as (move, cell it leads to). Doors: never diagonally."""
        for move, (dy, dx) in enumerate(MOVES):
            to = (cell[0] + dy, cell[1] + dx)
            if not (0 <= to[0] < ROWS and 0 <= to[1] < COLUMNS):
                continue
            closed = enter_closed and int(self.glyphs[to]) in CLOSED_DOORS
            if not (closed or self.walkable(to)):
                continue
            if dy and dx and (self.is_door(cell) or self.is_door(to)):
                continue
            yield move, to

    def path(
        self, goal: Callable[[Cell], bool], enter_closed: bool = False
    ) -> list[tuple[int, Cell]] | None:
        """Returns the shortest way, [(move, cell), ...], to a cell that satisfies `goal`.

        Empty if the hero stands on one; None if there is no way.
        """
        came_from: dict[Cell, tuple[Cell, int]] = {}
        queue = deque([self.hero])
        known = {self.hero}
        while queue:
            cell = queue.popleft()
            if goal(cell):
                way = []
                while cell != self.hero:
                    back, move = came_from[cell]
                    way.append((move, cell))
                    cell = back
                return way[::-1]
            for move, to in self.steps(cell, enter_closed):
                if to not in known:
                    known.add(to)
                    came_from[to] = (cell, move)
                    queue.append(to)
        return None

    def frontier(self, cell: Cell) -> bool:
        """Returns whether a cell has never been stood on and something unseen lies next to it."""
        y, x = cell
        if self.visits[cell] or (y, x) == self.hero:
            return False
        around = self.glyphs[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        return bool((around == STONE).any())

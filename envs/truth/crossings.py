"""Finds from whole maps when the hero crosses water or lava: the truth of that subgoal.

The *bed* is every cell that the map has shown as water or lava in this episode: filled and frozen
cells stay bed, and a hero that floats over one is on it. *Ground* is every other cell that the map
has shown, but stone and walls; what stands or lies on it (boulders, monsters, doors) changes
nothing. A *bank* is ground that hangs together, corner to corner too, as the hero walks.

The hero crosses with the step that takes it from the bed to another bank than the one it came onto
the bed from, whether it walks, floats, crawls out of the water or is thrown there. Coming back on
the same side, changing banks without having been on the bed, and changing levels are no crossing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from nle import nethack

from envs.game.glyphs import LAVA, STONE, WALLS, WATERS

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]

_LIQUIDS = (*WATERS, LAVA)


class Banks:
    """Follows the heroes of a batch over beds and banks.

    Args:
        n: environments.
    """

    def __init__(self, n: int) -> None:
        self._bed: Bools = np.zeros((n, 21, 79), np.bool_)
        self._mapped: Bools = np.zeros((n, 21, 79), np.bool_)
        self._on_bed: Bools = np.zeros(n, np.bool_)
        self._left: Array = np.zeros((n, 2), np.int64)  # (y, x) of the last ground stood on
        self._depth: Array = np.zeros(n, np.int64)

    def begin(self, rows: Array, glyphs: Array, blstats: Array) -> None:
        """Forgets the episodes of some rows; the arrays, (B, ...), hold their first observation."""
        self._bed[rows] = self._mapped[rows] = self._on_bed[rows] = False
        self._look(rows, glyphs)
        self._left[rows] = blstats[rows][:, [1, 0]]
        self._depth[rows] = blstats[rows, nethack.NLE_BL_DEPTH]

    def step(self, glyphs: Array, blstats: Array) -> Bools:
        """Returns whether the step to glyphs (B, 21, 79) and blstats (B, 27) crossed, (B,)."""
        rows = np.arange(len(glyphs))
        self._look(rows, glyphs)
        at = blstats[:, [1, 0]]
        on_bed = self._bed[rows, at[:, 0], at[:, 1]]
        crossed = self._on_bed & ~on_bed & (blstats[:, nethack.NLE_BL_DEPTH] == self._depth)
        for row in np.flatnonzero(crossed):
            ground = self._mapped[row] & ~self._bed[row]
            crossed[row] = not connected(ground, self._left[row], at[row])
        self._on_bed = on_bed
        self._left[~on_bed] = at[~on_bed]
        elsewhere = np.flatnonzero(blstats[:, nethack.NLE_BL_DEPTH] != self._depth)
        if elsewhere.size:
            self.begin(elsewhere, glyphs, blstats)
        return np.asarray(crossed)

    def _look(self, rows: Array, glyphs: Array) -> None:
        """Adds what the maps of some rows show to their beds and to what was shown."""
        maps = glyphs[rows]
        self._mapped[rows] |= (maps < STONE) | (maps > WALLS[-1])
        for liquid in _LIQUIDS:
            self._bed[rows] |= maps == liquid


def connected(ground: Bools, start: Array, end: Array) -> bool:
    """Returns whether one can walk over `ground` (21, 79) between two of its cells (y, x)."""
    reached = np.zeros_like(ground)
    reached[tuple(start)] = True
    while not reached[tuple(end)]:
        column = reached.copy()
        column[1:] |= reached[:-1]
        column[:-1] |= reached[1:]
        square = column.copy()
        square[:, 1:] |= column[:, :-1]
        square[:, :-1] |= column[:, 1:]
        square &= ground
        if np.array_equal(square, reached):
            return False
        reached = square
    return True

"""Finds from whole maps when the hero crosses a strip of lava or takes Memento's right branch.

Written apart from `envs.events.landmarks`: a strip is a line most of whose cells are lava, looked
for in every map anew; a branch is told by how far the hero is from the row it started in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from envs.game.glyphs import LAVA, WALLS, monster_glyph

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]


class CrossedStrips:
    """Follows heroes through the strips of lava between them and the southeast.

    Args:
        n: environments.
    """

    def __init__(self, n: int) -> None:
        self._most: Array = np.zeros(n, np.int64)

    def begin(self, rows: Array, glyphs: Array, blstats: Array) -> None:
        """Forgets the episodes of some rows; the arrays, (B, ...), hold their first observation."""
        self._most[rows] = [_strips_behind(glyphs[row], *blstats[row, :2]) for row in rows]

    def step(self, glyphs: Array, blstats: Array) -> Bools:
        """Returns whether heroes have more strips behind them than ever before, (B,)."""
        behind = np.array(
            [_strips_behind(one, *at[:2]) for one, at in zip(glyphs, blstats, strict=True)]
        )
        more: Bools = behind > self._most
        self._most = np.maximum(behind, self._most)
        return more


def _strips_behind(glyphs: Array, x: int, y: int) -> int:
    """Returns how many strips of lava of a map (21, 79) lie west or north of a cell."""
    walls = np.argwhere(np.isin(glyphs, WALLS))
    if not walls.size:
        return 0
    (top, left), (bottom, right) = walls.min(0) + 1, walls.max(0)
    lava = glyphs[top:bottom, left:right] == LAVA
    columns = np.flatnonzero(2 * lava.sum(0) > lava.shape[0]) + left
    rows = np.flatnonzero(2 * lava.sum(1) > lava.shape[1]) + top
    return int((columns < x).sum() + (rows < y).sum())


class RightBranch:
    """Follows heroes along Memento's corridor, east, to the branch that the caged animals name.

    Args:
        n: environments.
        branches: how many there are, 2 or 4.
    """

    def __init__(self, n: int, branches: int) -> None:
        self._branches = branches
        self._start: Array = np.zeros(n, np.int64)  # the row of the corridor
        self._right: Array = np.zeros(n, np.int64)  # how far south of it the right branch begins
        self._was_there: Bools = np.zeros(n, np.bool_)

    def begin(self, rows: Array, glyphs: Array, blstats: Array) -> None:
        """Forgets the episodes of some rows; the arrays, (B, ...), hold their first observation."""
        maps = glyphs[rows]
        blue, green, lichen = (
            (maps == monster_glyph(name)).any((1, 2))
            for name in ("blue jelly", "green mold", "lichen")
        )
        if self._branches == 2:
            self._right[rows] = np.where(lichen, 1, -1)
        else:
            self._right[rows] = -3 + 4 * green + 2 * ~blue
        self._start[rows] = blstats[rows, 1]
        self._was_there[rows] = False

    def step(self, glyphs: Array, blstats: Array) -> Bools:
        """Returns whether heroes have come into the right branch, (B,)."""
        x, south = blstats[:, 0], blstats[:, 1] - self._start
        if self._branches == 2:  # all that is on this side of the corridor, past the cages
            there: Bools = (np.sign(south) == self._right) & (x > 3)
        else:  # the branches begin one column after the corridor's end
            there = (south == self._right) & (x > 60)
        entered: Bools = there & ~self._was_there
        self._was_there = there
        return entered

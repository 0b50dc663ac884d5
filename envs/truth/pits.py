"""Finds from whole maps when a pushed boulder fills a pit, also one that something lies on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from envs.game.glyphs import BOULDER, PITS

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]


class FilledPits:
    """Follows heroes that push boulders, and remembers where the map has shown a pit or a hole.

    Args:
        n: environments.
    """

    def __init__(self, n: int) -> None:
        self._pits: Bools = np.zeros((n, 21, 79), np.bool_)
        self._boulders: Bools = np.zeros((n, 21, 79), np.bool_)  # before the step
        self._at: Array = np.zeros((n, 2), np.int64)  # (y, x), before the step

    def begin(self, rows: Array, glyphs: Array, blstats: Array) -> None:
        """Forgets the episodes of some rows; the arrays, (B, ...), hold their first observation."""
        self._pits[rows] = np.isin(glyphs[rows], PITS)
        self._boulders[rows] = glyphs[rows] == BOULDER
        self._at[rows] = blstats[rows][:, [1, 0]]

    def step(self, glyphs: Array, blstats: Array) -> Bools:
        """Returns whether the step to these arrays, (B, ...), filled one, (B,)."""
        at = blstats[:, [1, 0]].astype(np.int64)
        envs = np.arange(len(at))
        moved = at - self._at
        pushed = self._boulders[envs, at[:, 0], at[:, 1]] & moved.any(1)
        y, x = (at + np.sign(moved)).clip(0, (20, 78)).T
        there = glyphs[envs, y, x]
        filled: Bools = pushed & self._pits[envs, y, x] & (there != BOULDER) & ~np.isin(there, PITS)
        self._pits[envs[filled], y[filled], x[filled]] = False
        self._pits |= np.isin(glyphs, PITS)
        self._boulders = glyphs == BOULDER
        self._at = at
        return filled

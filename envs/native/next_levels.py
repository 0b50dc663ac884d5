"""Holds which level each game of a batch plays next, and lays that level ready for the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from envs.game.level_compiler import Levels, write_level
from envs.stepping.backend import NextSeed


class NextLevels:
    """Level seeds of the next episodes, with their levels where a task has one for each seed.

    Args:
        seeds: (B,) where the engine reads them at a reset.
        draw: draws the next seed of a row.
        levels: what makes the level of a seed; None where all seeds share one.
        root: game i plays in root/i.
    """

    def __init__(
        self,
        seeds: npt.NDArray[np.uint64],
        draw: NextSeed,
        levels: Levels | None,
        root: Path,
    ) -> None:
        self._seeds = seeds
        self._draw = draw
        self._levels = levels
        self._root = root
        self._missing: set[int] = set()
        """Rows whose level of before still lies there: it could not be written, or Ctrl-C came."""

    def draw(self, row: int) -> None:
        """Takes the next of a row's seeds; raises a GameError where its level can't be made."""
        self.set(row, self._draw(row))

    def set(self, row: int, seed: int) -> None:
        """Takes this seed for a row; raises a GameError where its level can't be made."""
        if self._levels is None:
            self._seeds[row] = seed
            return
        self._missing.add(row)
        self._seeds[row] = seed
        write_level(self._root / str(row), self._levels.compile(seed))
        self._missing.discard(row)

    def complete(self) -> None:
        """Makes the levels that are missing: to be called before any game is reset.

        Raises:
            GameError: one can't be made.
        """
        for row in sorted(self._missing):
            self.set(row, int(self._seeds[row]))

    def get(self, row: int) -> int:
        """Returns the seed of a row's next episode."""
        return int(self._seeds[row])

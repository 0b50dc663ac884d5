"""Holds which level each game of a batch plays next, and lays that level ready for the engine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from calm.errors import GameError
from envs.game.levels.compiler import Levels, write_level
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
        """Takes the next of a row's seeds."""
        self.set(row, self._draw(row))

    def set(self, row: int, seed: int) -> None:
        """Takes this seed for a row. Whether its level can be made is said by `complete`."""
        if self._levels is None:
            self._seeds[row] = seed
            return
        self._missing.add(row)
        self._seeds[row] = seed
        with suppress(GameError):
            self._make(row, self._levels)

    def get(self, row: int) -> int:
        """Returns the seed of a row's next episode."""
        return int(self._seeds[row])

    def complete(self) -> None:
        """Makes the levels that are missing: to be called before any game is reset.

        Raises:
            GameError: one can't be made.
        """
        if self._levels is not None:
            for row in sorted(self._missing):
                self._make(row, self._levels)

    def _make(self, row: int, levels: Levels) -> None:
        """Lays the level of a row's seed ready; raises a GameError where it can't be made."""
        write_level(self._root / str(row), levels.compile(self.get(row)))
        self._missing.discard(row)

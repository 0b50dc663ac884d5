"""Plays the mazes with apples: eats what it finds, then goes down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from envs.players.player import Array
from envs.players.scripted import Scripted
from envs.players.terrain import Cell
from envs.tasks.skills import glyphs_of


class Forager(Scripted):
    """Eats every apple that it sees, and takes the stairs when there is nothing left to explore.

    Args:
        actions: English names of the environment's actions; the first eight are the moves.
    """

    def __init__(self, actions: Sequence[str]) -> None:
        self._apples = glyphs_of("apple")
        super().__init__(actions)

    def begin(self, rng: np.random.Generator) -> None:
        """Starts a new episode; all chance in it comes from `rng`."""
        super().begin(rng)
        self._bites: dict[Cell, int] = {}

    def _ideas(self) -> tuple[Callable[[Mapping[str, Array]], int | None], ...]:
        return (self._eat, self._explore, self._to_stairs, self._search)

    def _reply(self, arrays: Mapping[str, Array]) -> int | None:
        if b"eat it?" in bytes(arrays["message"]) and arrays["internal"][1]:
            return self._can("move northwest")  # on the key y
        return super()._reply(arrays)

    def _eat(self, arrays: Mapping[str, Array]) -> int | None:
        """Returns the next move to an apple, or to eat where one lies; None where none is seen."""
        here = self._map
        lying = np.argwhere(np.isin(here.glyphs, self._apples))
        apples = {(int(y), int(x)) for y, x in lying}
        way = here.path(lambda cell: cell in apples and self._bites.get(cell, 0) < 3)
        if way is None:
            return None
        if way:
            return way[0][0]
        self._bites[here.hero] = self._bites.get(here.hero, 0) + 1
        return self._can("eat")

"""Plays Sokoban and Boxoban: pushes one boulder after the other to where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from envs.game.glyphs import FOUNTAIN, PITS
from envs.players.boulders import push_plan
from envs.players.player import Array
from envs.players.scripted import Scripted
from envs.players.terrain import MOVES, Cell

_STRAIGHT = 4
"""Moves that are not diagonal: nothing is pushed diagonally there, nor passed between boulders."""


class Pusher(Scripted):
    """Pushes boulders into pits and onto fountains, each by the shortest way that there is at once.

    It plans for one boulder while the others stay where they are: it fills some of Sokoban's pits,
    and finishes levels in which no boulder has to make way for another. Then it wanders.
    """

    def begin(self, rng: np.random.Generator) -> None:
        """Starts a new episode; all chance in it comes from `rng`."""
        super().begin(rng)
        self._fountains: set[Cell] = set()

    def _ideas(self) -> tuple[Callable[[Mapping[str, Array]], int | None], ...]:
        return (self._to_stairs, self._push, self._search)

    def _push(self, arrays: Mapping[str, Array]) -> int | None:
        here = self._map
        if here.hero != self._expected:
            self._plan = []  # something came between
        scene = here.glyphs.tobytes()
        if not self._plan and scene != self._hopeless:
            self._plan = self._best_plan()
        if not self._plan:
            self._hopeless = scene
            return None
        move = self._plan.pop(0)
        self._expected = (here.hero[0] + MOVES[move][0], here.hero[1] + MOVES[move][1])
        return move

    def _best_plan(self) -> list[int]:
        """Returns the fewest moves that bring some boulder to its place; none if there are none."""
        here = self._map
        self._fountains.update(_cells(here.glyphs == FOUNTAIN))
        boulders = set(here.find("boulder")) - self._fountains
        targets = self._fountains - set(here.find("boulder"))
        targets.update(_cells(np.isin(here.glyphs, PITS)))
        plans = [push_plan(here, boulder, targets, _STRAIGHT) for boulder in sorted(boulders)]
        return min(filter(None, plans), key=len, default=[])


def _cells(mask: Array) -> list[Cell]:
    """Returns the cells (y, x) where a map (21, 79) is true."""
    return [(int(y), int(x)) for y, x in np.argwhere(mask)]

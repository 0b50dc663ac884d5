"""Turns and mirrors what the hero sees, and his directions alike: the symmetries of the square.

NetHack knows no left or right: in a level's mirror image whoever goes west is where he who goes
east in the level is. So what is true of a crop with the hero in its middle and of an action is true
of their eight images under the dihedral group D4 as well, as far as the levels have no direction of
their own. Walls, doors, bridges, rays, explosions and the inside of a monster are drawn by glyphs
that tell directions, and these turn with the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from nle import nethack

from envs.game.actions import DIRECTIONS
from envs.game.glyphs import CLOSED_DOORS, NO_GLYPH, OPEN_DOORS, WALLS

Direction = tuple[int, int]
"""(dy, dx): rows down, columns to the right."""
Shape = frozenset[Direction]
"""What a glyph tells of directions, such as where a wall's arms point."""


class Symmetry(NamedTuple):
    """One of the eight ways to lay a square onto itself: two flips, then a transposition."""

    flips_rows: bool
    """North becomes south."""
    flips_columns: bool
    """East becomes west."""
    transposes: bool
    """Then rows become columns."""

    def of(self, direction: Direction) -> Direction:
        """Returns the image of a direction."""
        dy, dx = direction
        dy, dx = (-dy if self.flips_rows else dy), (-dx if self.flips_columns else dx)
        return (dx, dy) if self.transposes else (dy, dx)

    def glyphs(self) -> npt.NDArray[np.int16]:
        """Returns the image of every glyph, (5977,); of most, itself."""
        table = np.arange(NO_GLYPH + 1, dtype=np.int16)
        for shapes in _directed():
            by_shape = {shape: glyph for glyph, shape in shapes.items()}
            for glyph, shape in shapes.items():
                table[glyph] = by_shape[frozenset(map(self.of, shape))]
        return table

    def actions(self, presses: Sequence[int]) -> npt.NDArray[np.int64]:
        """Returns the image of every action by index, (A,): of steps and of runs another way.

        Args:
            presses: key code of every action.

        Raises:
            ValueError: an action goes in a direction whose image is none of the actions.
        """
        index = {key: i for i, key in enumerate(presses)}
        table = np.arange(len(presses))
        for keys in (nethack.CompassDirection, nethack.CompassDirectionLonger):
            key_to = {DIRECTIONS[key.name]: int(key) for key in keys}
            for direction, key in key_to.items():
                if key in index:
                    image = key_to[self.of(direction)]
                    if image not in index:
                        raise ValueError(
                            f"the key {chr(key)} goes where {chr(image)} goes in a mirror image,"
                            " which is none of the actions"
                        )
                    table[index[key]] = index[image]
        return table


SYMMETRIES = tuple(Symmetry(*flags) for flags in product((False, True), repeat=3))
"""All eight; the first changes nothing."""

_ARMS = ("NS", "EW", "SE", "SW", "NE", "NW", "NESW", "NEW", "SEW", "NSW", "NSE")
"""Of walls, in the order of their glyphs (defsym in NetHack's drawing.c)."""
_RING = ("NW", "N", "NE", "W", "E", "SW", "S", "SE")
"""Of parts around a middle, in NetHack's order."""
_BRIDGES = nethack.GLYPH_CMAP_OFF + 35
"""The first of open bridges, two glyphs, and of raised ones, two more."""


def _shape(*names: str) -> Shape:
    """Returns the directions of nle's names; "" is none of them, the middle."""
    return frozenset(DIRECTIONS[name] if name else (0, 0) for name in names)


def _directed() -> Iterator[dict[int, Shape]]:
    """Yields groups of glyphs that become each other, each with its shape."""
    upright, lying = _shape("N", "S"), _shape("E", "W")
    yield dict(zip(WALLS, (_shape(*arms) for arms in _ARMS), strict=True))
    for first in (OPEN_DOORS[0], CLOSED_DOORS[0], _BRIDGES, _BRIDGES + 2):
        yield {first: upright, first + 1: lying}
    for first in range(nethack.GLYPH_ZAP_OFF, nethack.GLYPH_SWALLOW_OFF, 4):
        ways = (upright, lying, _shape("NW", "SE"), _shape("NE", "SW"))
        yield {first + i: way for i, way in enumerate(ways)}
    for first in range(nethack.GLYPH_SWALLOW_OFF, nethack.GLYPH_WARNING_OFF, len(_RING)):
        yield {first + i: _shape(name) for i, name in enumerate(_RING)}
    ring = (*_RING[:4], "", *_RING[4:])
    for first in range(nethack.GLYPH_EXPLODE_OFF, nethack.GLYPH_ZAP_OFF, len(ring)):
        yield {first + i: _shape(name) for i, name in enumerate(ring)}

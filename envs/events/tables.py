"""Tables of what is worth describing, by which Python and C find a step's changes alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from nle import nethack

from envs.game.glyphs import COLUMNS, THINGS

STATUS_COLUMNS: npt.NDArray[np.int64] = np.array(
    [getattr(nethack, f"NLE_BL_{name}") for name in
     ("HP", "GOLD", "HUNGER", "CAP", "XP", "AC", "DEPTH", "EXP", "CONDITION")]
)  # fmt: skip
"""(9,) int64: the columns of `blstats` whose changes are described, in the order of sight.c."""

MESSAGE_MULTIPLIERS: npt.NDArray[np.uint64] = np.random.Generator(
    np.random.PCG64(2409_12798)
).integers(1, 2**63, size=64, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
"""(64,) uint64, odd: the sum of the 32 words of a message, or the 64 of all messages of a step,
times these tells them apart."""

# How far the nearest thing of a kind is. Distances are the hero's moves (Chebyshev).
ABSENT, FAR, WITHIN_8, WITHIN_4, WITHIN_2, NEXT_TO, ON, IN_HAND = range(8)

_FINE = ("key", "closed door", "staircase down", "boulder", "lava")
"""Kinds described with all levels; the others are in view, next to the hero or under it."""
DISTANT = ("open door", "staircase up")
"""Kinds described only when they come into view."""


def is_fine(kind: str) -> bool:
    """Returns whether a kind of thing is described with all levels of nearness."""
    return kind in _FINE


def _level(kind: str, distance: int) -> int:
    """Returns the level of nearness of a kind of thing that is so many moves away."""
    if kind in DISTANT:
        return FAR
    if distance == 0:
        return ON
    if distance == 1:
        return NEXT_TO
    if kind not in _FINE:
        return FAR
    return next((n for n, d in ((WITHIN_2, 2), (WITHIN_4, 4), (WITHIN_8, 8)) if distance <= d), FAR)


LEVEL_OF_DISTANCE = np.array(
    [[_level(kind, d) for d in range(COLUMNS)] for kind in THINGS], dtype=np.uint8
)
"""(kinds, 79) uint8: level of nearness by kind of thing and distance."""

# How a change of level is described: 8 * before + after, or one of these. STATE + level: how near
# a thing is, whatever it was before.
NO_CHANGE, AWAY, LOST, STATE = 0, 64, 65, 128


def _change(before: int, after: int) -> int:
    """Returns the code of a change from one level to another."""
    if before == after or IN_HAND in (before, after):
        return NO_CHANGE
    if after == ABSENT:
        return LOST
    return AWAY if after < before else 8 * before + after


CHANGE_OF_LEVELS = np.array([_change(b, a) for b in range(8) for a in range(8)], dtype=np.uint8)
"""(64,) uint8: the code of a change, by 8 * level before + level after."""

"""How one step of one environment is packed: `WIDTH` bytes, the same for equal events.

`envs.events.sight` fills these columns, `envs.events.stream` puts them into words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from envs.game.glyphs import CARRIED, COLUMNS, PORTABLE, THING, THINGS

# How far the nearest thing of a kind is. Distances are the hero's moves (Chebyshev).
ABSENT, FAR, WITHIN_8, WITHIN_4, WITHIN_2, NEXT_TO, ON, IN_HAND = range(8)

_FINE = ("key", "closed door", "staircase down", "boulder", "lava")
"""Kinds with all levels; the others are in view, next to the hero or under it."""
_DISTANT = ("open door", "staircase up")
"""Kinds of which only is said that they come into view."""


def is_fine(kind: str) -> bool:
    """Whether a kind of thing is told with all levels of nearness."""
    return kind in _FINE


def _level(kind: str, distance: int) -> int:
    if kind in _DISTANT:
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

# What a change of level is worth saying: 8 * before + after, or one of these.
NO_CHANGE, AWAY, LOST, STATE = 0, 64, 65, 128


def _change(before: int, after: int) -> int:
    if before == after or IN_HAND in (before, after):
        return NO_CHANGE
    if after == ABSENT:
        return LOST
    return AWAY if after < before else 8 * before + after


CHANGE_OF_LEVELS = np.array([_change(b, a) for b in range(8) for a in range(8)], dtype=np.uint8)
"""(64,) uint8: what is worth saying, by 8 * level before + level after."""

# Columns of a signature.
KINDS = slice(1, len(THINGS))  # by kind of thing, one of the codes above
ACTION, SEEN, GROUND_NOW, END = 16, 17, 18, 19
HP, GOLD, HUNGER, BURDEN, LEVEL, ARMOR, DEPTH, EXPERIENCE = range(20, 28)
ENTERED, LEFT = slice(28, 30), slice(30, 32)  # the inventory: bit k, the kind k of `CARRIED`
GAINED, ENDED = slice(32, 34), slice(34, 36)  # conditions
MESSAGE, QUESTION = slice(40, 48), slice(48, 56)
WIDTH = 56

# Bits of SEEN.
MOVED, WITH_KEY, OPENED, PUSHED, WATER_FILLED, LAVA_FILLED, ASKED, CROSSED = (
    1 << i for i in range(8)
)

# Values of END.
RUNNING, ON_STAIRS, DIED, OUT_OF_TIME, OTHER_END = range(5)


def say_once(row: npt.NDArray[np.uint8], levels: npt.NDArray[np.uint8]) -> None:
    """Leaves out of a signature (WIDTH,) what it says in a better way.

    Args:
        levels: (kinds,) of nearness after the step.
    """
    kinds = row[: len(THINGS)]
    closed = THING["closed door"]
    if row[SEEN] & OPENED:
        kinds[closed] = kinds[THING["open door"]] = NO_CHANGE
    if row[SEEN] & PUSHED:
        kinds[THING["boulder"]] = NO_CHANGE
    if row[ENTERED].any() or row[LEFT].any():
        for name in PORTABLE:
            kinds[THING[name]] = NO_CHANGE
    if row[ENTERED][0] & 1 << CARRIED.index("key") and levels[closed]:
        kinds[closed] = STATE + levels[closed]


def say_end(row: npt.NDArray[np.uint8], terminated: bool, alive: bool, under: int) -> None:
    """Puts into a signature (WIDTH,) how its episode ended; `under`: kind of thing stood on."""
    if not terminated:
        row[END] = OUT_OF_TIME
    elif not alive:
        # The screen of a dead hero is blank: nothing else can be said.
        action, message = row[ACTION], row[MESSAGE].copy()
        row[:] = 0
        row[ACTION], row[END] = action, DIED
        row[MESSAGE] = message
    else:
        row[END] = ON_STAIRS if under == THING["staircase down"] else OTHER_END

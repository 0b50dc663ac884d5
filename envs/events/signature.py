"""Lays out the signature of a step: `WIDTH` bytes, the same for equal events.

`envs.events.sight` fills these columns, `envs.events.words` puts them into words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from envs.events.tables import AWAY, DISTANT, LOST, NO_CHANGE, STATE
from envs.game.glyphs import CARRIED, PORTABLE, THING, THINGS

# Columns of a signature.
KINDS = slice(1, len(THINGS))  # by kind of thing, a code of `CHANGE_OF_LEVELS`
ACTION, FLAGS, GROUND_NOW, END = 16, 17, 18, 19
HP, GOLD, HUNGER, BURDEN, LEVEL, ARMOR, DEPTH, EXPERIENCE = range(20, 28)
ENTERED, LEFT = slice(28, 30), slice(30, 32)  # the inventory: bit k, the kind k of `CARRIED`
GAINED, ENDED = slice(32, 34), slice(34, 36)  # conditions
ON_FOUNTAIN = 36  # 1: the pushed boulder has come onto a fountain
LANDMARK, CAGED = 37, 38  # see `envs.events.landmarks`
MESSAGE, QUESTION = slice(40, 48), slice(48, 56)
WIDTH = 56

# Bits of FLAGS.
MOVED, WITH_KEY, OPENED, PUSHED, WATER_FILLED, LAVA_FILLED, ASKED, CROSSED = (
    1 << i for i in range(8)
)

# Values of END.
RUNNING, ON_STAIRS, DIED, OUT_OF_TIME, OTHER_END = range(5)


def drop_what_follows(row: npt.NDArray[np.uint8], levels: npt.NDArray[np.uint8]) -> None:
    """Clears columns of a signature (WIDTH,) that follow from another column of it.

    A door that opened explains that a closed door is gone and an open one there; a push explains
    where the boulder is; and what entered or left the inventory explains where such things are on
    the ground. Where the key enters, how near a closed door is then is set instead.

    Args:
        row: the signature, changed in place.
        levels: (kinds,) of nearness after the step.
    """
    kinds = row[: len(THINGS)]
    closed = THING["closed door"]
    if row[FLAGS] & OPENED:
        kinds[closed] = kinds[THING["open door"]] = NO_CHANGE
    if row[FLAGS] & PUSHED:
        kinds[THING["boulder"]] = NO_CHANGE
    if row[ENTERED].any() or row[LEFT].any():
        for name in PORTABLE:
            kinds[THING[name]] = NO_CHANGE
    if row[ENTERED][0] & 1 << CARRIED.index("key") and levels[closed]:
        kinds[closed] = STATE + levels[closed]


def without_asides(signature: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Returns a signature (WIDTH,) with columns cleared that no given subgoal asks about.

    What went away or out of view, the coming into view of what is described at a distance alone,
    that the hero carries the key where no closed door has come nearer, hit points that fell, the
    load, and that time ran out.
    """
    row = signature.copy()
    kinds = row[: len(THINGS)]
    kinds[(kinds == AWAY) | (kinds == LOST)] = NO_CHANGE
    kinds[[THING[name] for name in DISTANT]] = NO_CHANGE
    row[HP] = 0 if row[HP] == 1 else row[HP]
    row[BURDEN] = 0
    if not kinds[THING["closed door"]]:
        row[FLAGS] &= 255 - WITH_KEY
    row[END] = RUNNING if row[END] == OUT_OF_TIME else row[END]
    return row


def set_end(row: npt.NDArray[np.uint8], terminated: bool, alive: bool, under: int) -> None:
    """Puts into a signature (WIDTH,) how its episode ended.

    Args:
        row: the signature, changed in place.
        terminated: whether the game ended it, rather than the time limit.
        alive: whether the hero has hit points left.
        under: the kind of thing that the hero stands on, a number in `THINGS`.
    """
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

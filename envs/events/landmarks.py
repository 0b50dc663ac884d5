"""Notes what only some tasks' subgoals ask about: strips of lava crossed, and branches taken.

A *strip* is a straight line of lava through the whole level of a LavaCrossing, with one gap. The
hero has crossed one when it stands east or south of it, farther than ever in the episode: strips
part the start, in the northwest, from the stairs.

In Memento a corridor ends in *branches*, of which the animals caged beside its start name the right
one. The step into a branch tells which it is, counted from the north, and what was caged.

Texts of other tasks tell nothing of this: it would make them many and decide none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from envs.events.signature import CAGED, LANDMARK
from envs.game.glyphs import COLUMNS, LAVA, ROWS, monster_glyph
from envs.observer import Rows

Array = npt.NDArray[Any]
Signatures = npt.NDArray[np.uint8]

ANIMALS = ("blue jelly", "spotted jelly", "lichen", "red mold", "green mold")
"""What may be caged in Memento; the bits of CAGED in this order."""
ORDINALS = ("first", "second", "third", "fourth")

# Values of LANDMARK.
STRIP = 1
_FIRST_BRANCH = {2: 2, 4: 4}
"""By how many branches there are, the value that means the first; the others follow it."""


class Landmarks(Protocol):
    """Follows a batch, and writes into its signatures what a step had to do with landmarks."""

    def on_reset(self, rows: Rows) -> None:
        """Begins the episodes of these rows; the arrays hold their first observation."""

    def on_step(self, signatures: Signatures) -> None:
        """Writes into (B, WIDTH) what the step came to; the arrays hold s' for all rows."""


class Strips:
    """Tells when heroes have crossed one more strip of lava.

    Args:
        arrays: (B, ...) `glyphs` and `blstats` of the batch.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays
        n = len(arrays["blstats"])
        self._envs = np.arange(n)
        self._west: Array = np.zeros((n, COLUMNS), np.uint8)  # strips west of each column
        self._north: Array = np.zeros((n, ROWS), np.uint8)  # and north of each row
        self._crossed: Array = np.zeros(n, np.uint8)

    def on_reset(self, rows: Rows) -> None:
        lava = self._arrays["glyphs"][rows] == LAVA
        in_columns, in_rows = lava.sum(1), lava.sum(2)
        # All strips are of one length, and no other line has as much lava.
        length = np.maximum(in_columns.max(1), in_rows.max(1)).clip(2)[:, None]
        for strips, before in (
            (in_columns == length, self._west),
            (in_rows == length, self._north),
        ):
            before[rows] = strips.cumsum(1) - strips
        self._crossed[rows] = self._beyond()[rows]

    def on_step(self, signatures: Signatures) -> None:
        beyond = self._beyond()
        signatures[:, LANDMARK] = np.where(beyond > self._crossed, STRIP, 0)
        self._crossed = np.maximum(beyond, self._crossed)

    def _beyond(self) -> Array:
        """Returns how many strips lie west or north of each hero, (B,)."""
        x, y = self._arrays["blstats"][:, :2].T
        return np.asarray(self._west[self._envs, x] + self._north[self._envs, y])


class Branches:
    """Tells when heroes have stepped into a branch of Memento's corridor.

    Args:
        arrays: (B, ...) `glyphs` and `blstats` of the batch.
        fork: the column at which the corridor parts.
        rows: by branch, from the north, the rows that it takes up.
    """

    def __init__(self, arrays: Mapping[str, Array], fork: int, rows: Sequence[slice]) -> None:
        self._arrays = arrays
        n = len(arrays["blstats"])
        self._branch_of = np.zeros((ROWS, COLUMNS), np.uint8)  # by cell, 0 where there is none
        for number, of_branch in enumerate(rows):
            self._branch_of[of_branch, fork:] = _FIRST_BRANCH[len(rows)] + number
        self._in: Array = np.zeros(n, np.uint8)
        self._caged: Array = np.zeros(n, np.uint8)

    def on_reset(self, rows: Rows) -> None:
        glyphs = self._arrays["glyphs"][rows]
        self._caged[rows] = 0
        for bit, name in enumerate(ANIMALS):
            self._caged[rows] |= (glyphs == monster_glyph(name)).any((1, 2)) * np.uint8(1 << bit)
        self._in[rows] = 0

    def on_step(self, signatures: Signatures) -> None:
        x, y = self._arrays["blstats"][:, :2].T
        now = self._branch_of[y, x]
        taken = (now != 0) & (now != self._in)
        signatures[:, LANDMARK] = np.where(taken, now, 0)
        signatures[:, CAGED] = np.where(taken, self._caged, 0)
        self._in = now


_TWO = (slice(4, 7), slice(8, 11))
_FOUR = tuple(slice(row, row + 1) for row in (4, 6, 8, 10))
_FORKS: Mapping[str, tuple[int, Sequence[slice]]] = MappingProxyType(
    {
        "MiniHack-Memento-Short-F2-v0": (8, _TWO),
        "MiniHack-Memento-F2-v0": (60, _TWO),
        "MiniHack-Memento-F4-v0": (61, _FOUR),
    }
)
"""By id of a task, the column from which its branches are apart, and their rows."""


def landmarks_of(task_id: str, arrays: Mapping[str, Array]) -> Landmarks | None:
    """Returns what notes the landmarks of a task; None where it has none."""
    if task_id.startswith("MiniHack-LavaCrossingS"):
        return Strips(arrays)
    return Branches(arrays, *_FORKS[task_id]) if task_id in _FORKS else None


def landmark_words(signature: Signatures) -> list[str]:
    """Returns the sentences about landmarks in a signature (WIDTH,)."""
    value = int(signature[LANDMARK])
    if not value:
        return []
    if value == STRIP:
        return ["The hero crossed a strip of lava."]
    count = max(n for n, first in _FIRST_BRANCH.items() if first <= value)
    which = ORDINALS[value - _FIRST_BRANCH[count]]
    caged = [f"a {name}" for bit, name in enumerate(ANIMALS) if signature[CAGED] >> bit & 1]
    return [
        f"The hero took the {which} of {count} branches, counted from the north."
        f" Caged at the start: {' and '.join(caged)}."
    ]

"""Lists the subgoals whose truth takes more than two maps, and what follows an episode for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from envs.truth.crossings import Banks
from envs.truth.landmarks import CrossedStrips, RightBranch
from envs.truth.pits import FilledPits

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]


class Follower(Protocol):
    """Knows of a deed that takes several steps when it is done."""

    def begin(self, rows: Array, glyphs: Array, blstats: Array) -> None:
        """Forgets the episodes of some rows; the arrays, (B, ...), hold their first observation."""

    def step(self, glyphs: Array, blstats: Array) -> Bools:
        """Returns whether the step to these arrays, (B, ...), did it, (B,)."""


FOLLOWERS: Mapping[str, Callable[[int], Follower]] = MappingProxyType(
    {
        "cross the water or lava": Banks,
        "cross a strip of lava": CrossedStrips,
        "fill a pit with a boulder": FilledPits,
        "take the right one of two branches": partial(RightBranch, branches=2),
        "take the right one of four branches": partial(RightBranch, branches=4),
    }
)
"""By name of a subgoal, what makes the follower of so many environments."""

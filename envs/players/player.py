"""The protocol of a player, which plays one environment, a step at a time.

It sees one environment's observation and may read engine arrays: it is no judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

KEYS = ("glyphs", "blstats", "message", "inv_glyphs", "inv_letters", "internal")
"""The observation keys that players read."""


class Player(Protocol):
    """Plays one environment."""

    name: str
    """As provenance has it."""

    def begin(self, rng: np.random.Generator) -> None:
        """Starts a new episode; all chance in it comes from `rng`."""

    def act(self, arrays: Mapping[str, Array]) -> int:
        """Returns the index of the next action, from one environment's arrays."""

"""What steps a batch: the protocol of `envs.stepping.plain` and `envs.native.backend`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from envs.game.engine import Array, Rules

NextSeed = Callable[[int], int]
"""The level seed of a row's next episode; every call draws a new one."""


class Backend(Protocol):
    """Holds the arrays of a batch and steps its games. All arrays keep their place for good."""

    rules: Rules
    """What MiniHack says about the task."""
    arrays: Mapping[str, Array]
    """By key, (B, ...): the observation of every row, crops included."""
    final: Mapping[str, Array]
    """By key, (B, ...): the last observation of an episode, in rows where a step ended one."""
    reward: npt.NDArray[np.float32]
    status: npt.NDArray[np.int8]
    """(B,) of the last step: `RUNNING`, `WON`, `DIED` or `ABORTED` of `envs.game.engine`."""
    steps: npt.NDArray[np.int32]
    """(B,) steps of the running episode."""
    level_seed: npt.NDArray[np.int64]
    """(B,) of the running episode."""
    final_steps: npt.NDArray[np.int32]
    final_level_seed: npt.NDArray[np.int64]
    """(B,) of the episode that the last step ended, in rows where it ended one."""

    def step(self, actions: npt.NDArray[np.int64], reset: bool) -> int:
        """Steps every row; with `reset`, rows that end start their next episode at once.

        Returns:
            How many rows ended; -1, and nothing is stepped, if there is no such action.
        """

    def reset(self, rows: npt.NDArray[np.intp], seeds: Sequence[int] | None) -> None:
        """Starts new episodes in these rows, on the given level seeds or the next of each."""

    def redraw(self, rows: Sequence[int]) -> None:
        """Forgets seeds that were drawn ahead for these rows, whose streams have changed."""

    def close(self) -> None:
        """Ends all games. More than once does no harm."""

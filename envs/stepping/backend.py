"""The protocol of a backend, which steps a batch: `envs.stepping.plain`, `envs.native.backend`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from envs.game.engine import Array
from envs.game.rules import Rules
from envs.observer import Actions, Rows

NextSeed = Callable[[int], int]
"""Returns the level seed of a row's next episode; every call draws a new one."""


@dataclass(frozen=True)
class Games:
    """Which games a backend plays, and which arrays it fills."""

    task: str
    """MiniHack's id."""
    n_envs: int
    """B."""
    keys: Sequence[str]
    """Observation keys to fill, crops among them."""
    next_seed: NextSeed
    crop: int = 9
    """Odd size of the crops."""
    penalty: bool = True
    """False leaves MiniHack's penalty for steps without game time out of the reward."""
    options: Mapping[str, Any] | None = None
    """Keyword arguments of the MiniHack class."""


class Backend(Protocol):
    """Holds the arrays of a batch and steps its games. All arrays keep their place for good."""

    rules: Rules
    """The task's, as MiniHack has them."""
    arrays: Mapping[str, Array]
    """By key, (B, ...): the observation of every row, crops included."""
    final: Mapping[str, Array]
    """By key, (B, ...): the last observation of an episode, in rows where a step ended one."""
    reward: npt.NDArray[np.float32]
    """(B,) of the last step."""
    status: npt.NDArray[np.int8]
    """(B,) of the last step: `RUNNING`, `WON`, `LOST`, `DIED` or `ABORTED`, see
    `envs.game.goal`."""
    steps: npt.NDArray[np.int32]
    """(B,) steps of the running episode."""
    limit: npt.NDArray[np.int32]
    """(B,) steps after which it is cut: the rules' `max_steps`, until somebody writes another."""
    level_seed: npt.NDArray[np.int64]
    """(B,) of the running episode."""
    final_steps: npt.NDArray[np.int32]
    """(B,) length of the episode that the last step ended, in rows where it ended one."""
    final_level_seed: npt.NDArray[np.int64]
    """(B,) its level seed."""

    def step(self, actions: Actions, reset: bool) -> int:
        """Steps every row; with `reset`, rows that end start their next episode at once.

        Returns:
            How many rows ended; -1, and nothing is stepped, if there is no such action.
        """

    def reset(self, rows: Rows, seeds: Sequence[int] | None) -> None:
        """Starts new episodes in these rows, on these level seeds or, for None, each row's next."""

    def redraw(self, rows: Sequence[int]) -> None:
        """Forgets seeds that were drawn ahead for these rows, whose streams have changed."""

    def close(self) -> None:
        """Ends all games. More than once does no harm."""

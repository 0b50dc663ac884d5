"""Players that leave some or all of their actions to chance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from calm.errors import UsageError
from envs.players.player import Array, Player


class Random:
    """Draws every action equally often.

    Args:
        n_actions: of the environment.
    """

    name = "random"

    def __init__(self, n_actions: int) -> None:
        self._n = n_actions
        self._rng = np.random.default_rng(0)

    def begin(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def act(self, arrays: Mapping[str, Array]) -> int:
        return int(self._rng.integers(self._n))


class Sloppy:
    """Plays as another player does, with a share of random actions in between.

    Args:
        player: whose actions are taken otherwise.
        n_actions: of the environment.
        share: of the actions that are drawn evenly, in [0, 1].

    Raises:
        UsageError: the share lies outside.
    """

    def __init__(self, player: Player, n_actions: int, share: float = 0.3) -> None:
        if not 0.0 <= share <= 1.0:
            raise UsageError(f"the share of random actions lies in [0, 1], got {share}")
        self.name = f"sloppy-{player.name}"
        self._player = player
        self._n = n_actions
        self._share = share
        self._rng = np.random.default_rng(0)

    def begin(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._player.begin(rng)

    def act(self, arrays: Mapping[str, Array]) -> int:
        action = self._player.act(arrays)  # it must see every step
        if self._rng.random() < self._share:
            return int(self._rng.integers(self._n))
        return action

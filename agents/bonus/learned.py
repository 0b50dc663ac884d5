"""The base of bonuses that learn: they see glyphs, learn from every rollout, and can be resumed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from envs.game.engine import Array
from envs.observer import Actions, Bools, Rows
from envs.stepping.batch import Batch, Rewards

KEYS = ("glyphs_crop", "inv_glyphs")
"""What these bonuses see of a state: the map around the hero, and what is carried."""
MINIBATCH = 512
"""Transitions in one step of learning."""


class LearnedBonus(ABC):
    """Pays by networks that learn from the steps they paid for, once every `n_steps` of the batch.

    A bonus of its own makes its networks (`_make`), pays (`_pay`), begins episodes (`_begin`) and
    tells the loss of a minibatch (`_loss`). All random numbers are its own, so that a run with a
    bonus draws the same others as one without.

    Args:
        batch: not yet reset; its arrays hold `KEYS`.
        n_steps: steps of the batch between two times of learning; those of a rollout, so that
            nothing is left over between two.
        seed: of its weights and of the order in which it learns.
    """

    def __init__(self, batch: Batch, n_steps: int, seed: int) -> None:
        self._batch, self._n_steps = batch, n_steps
        self._random = torch.Generator().manual_seed(seed)
        self.n_glyphs = sum(int(np.prod(batch.arrays[key].shape[1:])) for key in KEYS)
        """N, the glyphs of a state."""
        shape = n_steps, batch.n_envs
        self._before: Array = np.zeros((*shape, self.n_glyphs), np.int16)
        self._after: Array = np.zeros_like(self._before)
        self._actions = np.zeros(shape, np.int64)
        self._filled = 0
        self._state: Array = np.zeros((batch.n_envs, self.n_glyphs), np.int16)
        self._networks: nn.Module
        self._optimizer: torch.optim.Optimizer
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._networks, self._optimizer = self._make()

    def reset(self) -> None:
        """Begins an episode in every row; what was played since the last learning is left out."""
        self._filled = 0
        self._state = self._glyphs({key: self._batch.arrays[key] for key in KEYS})
        self._begin(np.arange(self._batch.n_envs))

    def step(self, actions: Actions, ended: Bools) -> Rewards:
        """Returns the bonus of the batch's last step, (B,) float32."""
        after = self._glyphs({key: self._batch.reached(key) for key in KEYS})
        with torch.no_grad():
            bonus = self._pay(torch.from_numpy(after)).numpy().astype(np.float32)
        at, self._filled = self._filled, self._filled + 1
        self._before[at], self._actions[at], self._after[at] = self._state, actions, after
        if self._filled == self._n_steps:
            self._learn()
            self._filled = 0
        self._state = after
        if np.count_nonzero(ended):
            self._state = self._glyphs({key: self._batch.arrays[key] for key in KEYS})
            self._begin(np.flatnonzero(ended))
        return bonus

    def state(self) -> dict[str, Any]:
        """Returns weights, optimiser, statistics and random state, as tensors and plain values."""
        return {
            "random": self._random.get_state(),
            "networks": self._networks.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        } | self._own_state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state` has returned.

        Raises:
            KeyError, RuntimeError: it is the state of another bonus.
        """
        self._random.set_state(state["random"])
        self._networks.load_state_dict(state["networks"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._restore_own(state)

    @abstractmethod
    def _make(self) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Returns new networks, and the optimiser of those of their weights that learn."""

    @abstractmethod
    def _pay(self, glyphs: Tensor) -> Tensor:
        """Returns the bonus (B,) of states (B, N) int16 that a step has just led to."""

    @abstractmethod
    def _begin(self, rows: Rows) -> None:
        """Takes in that these rows stand at the first observation of an episode."""

    @abstractmethod
    def _loss(self, before: Tensor, actions: Tensor, after: Tensor) -> Tensor:
        """Returns the loss () of M transitions: states (M, N) int16, actions (M,) int64, states."""

    @abstractmethod
    def _own_state(self) -> dict[str, Any]:
        """Returns what `state` holds beside networks, optimiser and random state."""

    @abstractmethod
    def _restore_own(self, state: Mapping[str, Any]) -> None:
        """Takes over what `_own_state` has returned."""

    def _learn_from(self, before: Tensor, actions: Tensor, after: Tensor) -> None:
        """Learns one step from M transitions, shaped as `_loss` takes them."""
        loss = self._loss(before, actions, after)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()

    def _learn(self) -> None:
        """Goes once through what was played since the last time, in random order."""
        parts = (self._before, self._actions, self._after)
        flat = [torch.from_numpy(part.reshape(-1, *part.shape[2:])) for part in parts]
        for rows in self._minibatches(len(flat[0])):
            before, actions, after = (part[rows] for part in flat)
            self._learn_from(before, actions, after)

    def _minibatches(self, n: int) -> Iterator[Tensor]:
        """Yields the numbers 0 to n - 1 in random order, `MINIBATCH` int64 at a time."""
        yield from torch.randperm(n, generator=self._random).split(MINIBATCH)

    def _glyphs(self, arrays: Mapping[str, Array]) -> Array:
        """Returns a copy of what the bonus sees, (B, N) int16, of arrays (B, ...) by key."""
        return np.concatenate([a.reshape(len(a), -1) for a in arrays.values()], 1, dtype=np.int16)

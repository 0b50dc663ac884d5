"""What bonuses that learn have in common: they see glyphs, and learn from every rollout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from envs.game.engine import Array
from envs.observer import Bools
from envs.stepping.batch import Batch, Rewards

KEYS = ("glyphs_crop", "inv_glyphs")
"""What these bonuses see of a state: the map around the hero and what he carries."""
MINIBATCH = 512
"""Transitions in one step of learning."""


class LearnedBonus(ABC):
    """A bonus whose networks learn from the steps they paid for, once every `n_steps` of the batch.

    All random numbers are its own, so that a run with a bonus draws the same others.

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

    def reset(self) -> None:
        """All episodes begin; what was played since the last learning is left out."""
        self._filled = 0
        self._state = self._glyphs({key: self._batch.arrays[key] for key in KEYS})
        self._begin(np.arange(self._batch.n_envs))

    def step(self, actions: npt.NDArray[np.int64], ended: Bools) -> Rewards:
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
        return {"random": self._random.get_state()} | self._learned()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state` has returned.

        Raises:
            KeyError, RuntimeError: it is the state of another bonus.
        """
        self._random.set_state(state["random"])
        self._take_over(state)

    @abstractmethod
    def _pay(self, glyphs: Tensor) -> Tensor:
        """Returns the bonus (B,) of states (B, N) int16 that a step has just led to."""

    @abstractmethod
    def _begin(self, rows: npt.NDArray[np.intp]) -> None:
        """These rows stand at the first observation of an episode."""

    @abstractmethod
    def _learn_from(self, before: Tensor, actions: Tensor, after: Tensor) -> None:
        """One step of learning, from M transitions: (M, N) int16, (M,) int64, (M, N) int16."""

    @abstractmethod
    def _learned(self) -> dict[str, Any]:
        """What `state` holds beside the random state."""

    @abstractmethod
    def _take_over(self, state: Mapping[str, Any]) -> None:
        """Takes over what `_learned` has returned."""

    def _learn(self) -> None:
        """Goes once through what was played since the last time, in random order."""
        parts = (self._before, self._actions, self._after)
        flat = [torch.from_numpy(part.reshape(-1, *part.shape[2:])) for part in parts]
        for rows in self._minibatches(len(flat[0])):
            before, actions, after = (part[rows] for part in flat)
            self._learn_from(before, actions, after)

    def _minibatches(self, n: int) -> Iterator[Tensor]:
        yield from torch.randperm(n, generator=self._random).split(MINIBATCH)

    def _glyphs(self, arrays: Mapping[str, Array]) -> Array:
        """(B, N) int16, a copy."""
        return np.concatenate([a.reshape(len(a), -1) for a in arrays.values()], 1, dtype=np.int16)

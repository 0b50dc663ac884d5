"""Holds what PPO has played: a buffer that reuses its memory, and its content as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer
from torch import Tensor

from agents.network.kernels.minibatch_chunks import Indices, cut, number_rows, pick

Observation = dict[str, Any]


class ReusedRolloutBuffer(DictRolloutBuffer):
    """SB3's rollout buffer for dictionaries that reuses its memory from one rollout to the next."""

    observations: dict[str, Any]
    _NAMES = (
        "actions", "rewards", "returns", "episode_starts", "values", "log_probs", "advantages",
    )  # fmt: skip

    def reset(self) -> None:
        """Empties the buffer; arrays that `get` has flattened get their shape back."""
        if "_arrays" not in self.__dict__:
            super().reset()
            self._arrays = {name: getattr(self, name) for name in self._NAMES}
            self._observation_arrays = self.observations
        self.__dict__ |= self._arrays
        self.observations = dict(self._observation_arrays)
        self.pos, self.full, self.generator_ready = 0, False, False


class Rollout:
    """A full rollout as tensors on the policy's device, one row a transition, step by step.

    Args:
        buffer: the rollout.
        device: of the policy.
        repeats: keys whose equal rows are computed once, with the axes of one row.
        chunk: transitions of a minibatch that are computed together, on a CPU.
    """

    def __init__(
        self, buffer: RolloutBuffer, device: torch.device, repeats: Mapping[str, int], chunk: int
    ) -> None:
        self.n_envs, self.n_steps = buffer.n_envs, buffer.buffer_size
        self.whole, self.chunk = device.type != "cpu", chunk

        def flat(array: Any) -> Tensor:
            rows = array.reshape(self.n_steps * self.n_envs, *array.shape[2:])
            return torch.from_numpy(rows).to(device)

        self.stored = {key: flat(array) for key, array in buffer.observations.items()}
        self.actions = flat(buffer.actions).long()
        self.values, self.returns = flat(buffer.values), flat(buffer.returns)
        self.log_probs, self.advantages = flat(buffer.log_probs), flat(buffer.advantages)
        self.repeats = {
            key: number_rows(self.stored[key].numpy(), ndim) for key, ndim in repeats.items()
        }

    def seen_as(self, stored: Observation, actions: Tensor) -> Rollout:
        """Returns the same transitions with other observations and actions.

        Args:
            stored: observations by key, (N, ...), of which two are equal where the rollout's are.
            actions: (N, 1) int64.
        """
        view = copy(self)
        view.stored, view.actions = stored, actions
        return view

    def minibatches(self, size: int) -> Iterator[Indices]:
        """Yields random rows, as SB3 draws them: it counts environment by environment."""
        order = np.random.permutation(self.n_steps * self.n_envs)
        rows = order % self.n_steps * self.n_envs + order // self.n_steps
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    def chunks(self, rows: Indices) -> list[Indices]:
        """Cuts the rows of a minibatch, (M,), into chunks; one on a GPU."""
        if self.whole:
            return [rows]
        return cut(rows, next(iter(self.repeats.values()), None), self.chunk)

    def observations(self, rows: Indices) -> Observation:
        """Returns the observations of some rows (M,) by key, equal ones once where that is done."""
        return dict(pick(self.stored, rows, self.repeats))

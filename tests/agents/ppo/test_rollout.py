"""Rollouts: memory that is used again, and minibatches that hold every transition once."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.ppo.rollout import ReusedRolloutBuffer, Rollout

STEPS, ENVS = 5, 3
SPACE = spaces.Dict({"map": spaces.Box(0, 9, (2, 2), np.uint8), "x": spaces.Box(0, 1, (7,))})


def buffer() -> ReusedRolloutBuffer:
    """Full of numbers that say where they stand: 3 * step + environment."""
    full = ReusedRolloutBuffer(STEPS, SPACE, spaces.Discrete(4), device="cpu", n_envs=ENVS)
    full.reset()
    for key, array in full.observations.items():
        number = np.arange(STEPS * ENVS).reshape(STEPS, ENVS, *[1] * (array.ndim - 2))
        full.observations[key][:] = number
    full.returns[:] = np.arange(STEPS * ENVS).reshape(STEPS, ENVS)
    full.pos, full.full = STEPS, True
    return full


def test_a_buffer_has_its_shape_and_its_memory_back_after_it_was_flattened() -> None:
    full = buffer()
    before = {key: array.ctypes.data for key, array in full.observations.items()}
    returns = full.returns.ctypes.data
    next(full.get(STEPS * ENVS))
    assert full.returns.shape == (STEPS * ENVS, 1)
    full.reset()
    assert full.returns.shape == (STEPS, ENVS)
    assert {key: array.ctypes.data for key, array in full.observations.items()} == before
    assert full.returns.ctypes.data == returns
    assert (full.pos, full.full) == (0, False)


@pytest.mark.parametrize("repeats", [{}, {"map": 2}])
def test_minibatches_hold_every_transition_once(repeats: dict[str, int]) -> None:
    rollout = Rollout(buffer(), torch.device("cpu"), repeats, chunk=2)
    order: list[int] = []
    for rows in rollout.minibatches(7):
        chunks = rollout.chunks(rows)
        assert sorted(np.concatenate(chunks).tolist()) == sorted(rows.tolist())
        assert max(map(len, chunks)) <= 2
        for chunk in chunks:
            observed = rollout.observations(chunk)["x"]
            assert rollout.returns[torch.from_numpy(chunk)].tolist() == observed[:, 0].tolist()
        order += rows.tolist()
    assert sorted(order) == list(range(STEPS * ENVS))

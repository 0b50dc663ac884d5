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
    made = ReusedRolloutBuffer(STEPS, SPACE, spaces.Discrete(4), device="cpu", n_envs=ENVS)
    made.reset()
    for key, array in made.observations.items():
        number = np.arange(STEPS * ENVS).reshape(STEPS, ENVS, *[1] * (array.ndim - 2))
        made.observations[key][:] = number
    made.returns[:] = np.arange(STEPS * ENVS).reshape(STEPS, ENVS)
    made.pos, made.full = STEPS, True
    return made


def test_a_buffer_has_its_shape_and_its_memory_back_after_it_was_flattened() -> None:
    made = buffer()
    before = {key: array.ctypes.data for key, array in made.observations.items()}
    returns = made.returns.ctypes.data
    next(made.get(STEPS * ENVS))
    assert made.returns.shape == (STEPS * ENVS, 1)
    made.reset()
    assert made.returns.shape == (STEPS, ENVS)
    assert {key: array.ctypes.data for key, array in made.observations.items()} == before
    assert made.returns.ctypes.data == returns
    assert (made.pos, made.full) == (0, False)


@pytest.mark.parametrize("repeats", [{}, {"map": 2}])
def test_minibatches_hold_every_transition_once(repeats: dict[str, int]) -> None:
    rollout = Rollout(buffer(), torch.device("cpu"), repeats, chunk=2)
    seen: list[int] = []
    for rows in rollout.minibatches(7):
        chunks = rollout.chunks(rows)
        assert sorted(np.concatenate(chunks).tolist()) == sorted(rows.tolist())
        assert max(map(len, chunks)) <= 2
        for chunk in chunks:
            observed = rollout.observations(chunk)["x"]
            assert rollout.returns[torch.from_numpy(chunk)].tolist() == observed[:, 0].tolist()
        seen += rows.tolist()
    assert sorted(seen) == list(range(STEPS * ENVS))

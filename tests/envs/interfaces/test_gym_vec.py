"""Many environments as a Gymnasium `VectorEnv`."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import envs
from calm.errors import UsageError

TASK = "KeyRoom-S5"
LIMIT = 200
TRUE, FALSE = [True, True, True], [False, False, False]


def test_gym_vector() -> None:
    vec = envs.make_vec(TASK, 3, seed=1, workers=1)
    assert vec.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observation, infos = vec.reset(seed=1)
    assert infos == {}
    assert vec.observation_space.contains(observation)
    before = observation["message"].copy()
    for _ in range(LIMIT - 1):
        _, rewards, terminated, truncated, infos = vec.step(np.array([8, 8, 8]))
        assert infos == {}
    assert np.array_equal(observation["message"], before)  # a copy: steps don't change it
    observation, rewards, terminated, truncated, infos = vec.step(np.array([8, 8, 8]))
    assert terminated.tolist() == FALSE
    assert truncated.tolist() == TRUE
    assert rewards.dtype == np.float32
    assert rewards.tolist() == pytest.approx([-0.01] * 3)
    assert set(infos) == {"final_obs", "_final_obs", "final_info", "_final_info"}
    assert infos["_final_obs"].tolist() == TRUE
    final = infos["final_obs"][1]
    assert vec.single_observation_space.contains(final)
    assert bytes(final["message"]).startswith(b"The")  # nothing here, or the stairs are fixed
    assert bytes(observation["message"][1]).startswith(b"Hello Agent")
    episode = infos["final_info"]["episode"]
    assert episode["l"].tolist() == [LIMIT] * 3
    assert episode["r"].tolist() == pytest.approx([-0.01 * LIMIT] * 3, rel=1e-5)
    assert episode["success"].tolist() == FALSE
    vec.close()
    with pytest.raises(UsageError, match="closed"):
        vec.step(np.array([0, 0, 0]))


def test_gym_vector_without_copies_hands_out_the_arrays() -> None:
    vec = envs.make_vec(TASK, 2, workers=1, copy=False)
    observation, _ = vec.reset()
    later, *_ = vec.step(np.array([0, 0]))
    assert later["blstats"] is observation["blstats"] is vec.batch.arrays["blstats"]
    vec.close()


def test_gym_vector_plays_the_levels_asked_for() -> None:
    vec = envs.make_vec(TASK, 2, workers=0)
    vec.reset(options={"level_seeds": [4, 5]})
    assert vec.batch.level_seeds.tolist() == [4, 5]
    with pytest.raises(UsageError, match="level_seeds"):
        vec.reset(options={"seeds": [4, 5]})
    with pytest.raises(UsageError, match="as many seeds"):
        vec.reset(seed=[1])
    vec.close()

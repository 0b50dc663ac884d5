"""Many environments as a stable-baselines3 `VecEnv`."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import PPO

import envs
from calm.errors import UsageError

TASK = "KeyRoom-S5"
LIMIT = 200


def test_sb3_vector() -> None:
    vec = envs.make_vec(TASK, 2, kind="sb3", seed=5, workers=1)
    observation = vec.reset()
    assert vec.observation_space.contains({key: value[0] for key, value in observation.items()})
    for _ in range(LIMIT - 1):
        _, _, dones, infos = vec.step(np.array([8, 8]))
        assert infos == [{}, {}]
    observation, _, dones, infos = vec.step(np.array([8, 8]))
    assert dones.tolist() == [True, True]
    for info in infos:
        assert info["TimeLimit.truncated"] is True
        assert info["is_success"] is False
        assert info["episode"]["l"] == LIMIT
        assert info["episode"]["r"] == pytest.approx(-0.01 * LIMIT, rel=1e-5)
        assert bytes(info["terminal_observation"]["message"]).startswith(b"The")
    assert bytes(observation["message"][0]).startswith(b"Hello Agent")
    assert vec.get_attr("level_seeds") == vec.batch.level_seeds.tolist()
    assert vec.get_attr("task", indices=[1]) == [vec.batch.task]
    assert vec.env_method("summary", indices=0)[0]["l"] == LIMIT
    assert vec.env_is_wrapped(gymnasium.Wrapper) == [False, False]
    assert not vec.has_attr("nonsense")
    with pytest.raises(UsageError, match="share"):
        vec.set_attr("task", "x")
    vec.seed(5)
    vec.reset()
    levels = vec.batch.level_seeds.copy()
    vec.reset()
    assert (vec.batch.level_seeds != levels).all()
    vec.seed(5)
    vec.reset()
    assert (vec.batch.level_seeds == levels).all()
    vec.set_options({"level_seeds": [4, 5]})
    vec.reset()
    assert vec.batch.level_seeds.tolist() == [4, 5]
    vec.reset()
    assert vec.batch.level_seeds.tolist() != [4, 5]
    for options, words in (({"seeds": [4, 5]}, "level_seeds"), ([{}, {}], "one dictionary")):
        with pytest.raises(UsageError, match=words):
            vec.set_options(options)
    vec.close()


def test_sb3_learns_on_it() -> None:
    vec = envs.make_vec(TASK, 2, kind="sb3", judge="truth", workers=1)
    model = PPO("MultiInputPolicy", vec, n_steps=128, batch_size=64, n_epochs=1, seed=0)
    model.learn(512)
    assert {"r", "l", "r_env", "credit"} <= set(model.ep_info_buffer[0])
    vec.close()

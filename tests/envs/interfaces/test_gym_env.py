"""One environment as a `gymnasium.Env`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import envs
from calm.errors import UsageError
from envs.seeding import LevelSeeds

TASK = "KeyRoom-S5"
LIMIT = 200


# SB3 prefers flat observations; ours are for networks that look at maps.
@pytest.mark.filterwarnings("ignore:.*unconventional shape:UserWarning")
def test_passes_the_checks_of_gymnasium_and_sb3() -> None:
    with envs.make(TASK, workers=0) as env:
        check_env(env, skip_render_check=True)
    with envs.make(TASK, workers=0, judge="truth") as env:
        sb3_check_env(env)


def test_make_seeds() -> None:
    with envs.make(TASK, workers=0) as env:
        first, info = env.reset(seed=3)
        again, same = env.reset(seed=3)
        assert info == same
        assert all(np.array_equal(first[key], again[key]) for key in first)
        _, other = env.reset()
        assert other != info
        _, third = env.reset(options={"level_seed": 9})
        assert third == {"level_seed": 9}
        with pytest.raises(UsageError, match="level_seed"):
            env.reset(options={"level": 9})


def test_one_environment_plays_its_stream_episode_after_episode() -> None:
    stream = LevelSeeds("train", 3, 0)

    def play(env: Any) -> dict[str, Any]:
        for _ in range(3):
            observation, *_, truncated, info = env.step(8)
            assert env.observation_space.contains(observation)
        assert truncated
        return dict(info["summary"])

    with envs.make(TASK, seed=3, options={"max_episode_steps": 3}, workers=0) as env:
        for n in range(4):
            observation, info = env.reset()
            first = {key: array.copy() for key, array in observation.items()}
            assert info == {"level_seed": stream.at(n)}
            assert play(env)["level_seed"] == stream.at(n)
            assert all(np.array_equal(observation[key], first[key]) for key in first)
        # The last is what a new game on that level shows.
        fresh, _ = env.reset(options={"level_seed": stream.at(3)})
        assert all(np.array_equal(fresh[key], first[key]) for key in first)
        assert play(env)["level_seed"] == stream.at(3)
        assert env.reset()[1] == {"level_seed": stream.at(5)}
        assert env.reset()[1] == {"level_seed": stream.at(6)}  # in the middle of an episode
        play(env)
        assert env.reset(seed=3)[1] == {"level_seed": stream.at(0)}
        play(env)
        assert env.reset()[1] == {"level_seed": stream.at(1)}
        play(env)
    with pytest.raises(UsageError, match="closed"):
        env.reset()


def test_one_environment_and_each_of_a_vector_play_the_same_levels() -> None:
    with envs.make(TASK, workers=0) as env:
        one, _ = env.reset(seed=42)
    vec = envs.make_vec(TASK, 3, workers=0)
    many, _ = vec.reset(seed=[7, 42, None])
    assert all(np.array_equal(one[key], many[key][1]) for key in one)
    vec.close()


def test_an_episode_that_is_over_must_be_reset() -> None:
    with envs.make(TASK, workers=0) as env:
        env.reset(seed=0)
        for _ in range(LIMIT - 1):
            *_, truncated, info = env.step(8)
            assert not truncated
            assert info == {}
        *_, terminated, truncated, info = env.step(8)
        assert (terminated, truncated) == (False, True)
        assert info["summary"]["l"] == LIMIT
        with pytest.raises(UsageError, match="over"):
            env.step(8)


def test_gymnasium_records_the_statistics_of_episodes() -> None:
    options = {"max_episode_steps": 3}
    with RecordEpisodeStatistics(envs.make(TASK, options=options, workers=0)) as env:
        for _ in range(2):
            env.reset()
            for _ in range(3):
                *_, truncated, info = env.step(8)
            assert truncated
            assert (info["episode"]["l"], info["summary"]["l"]) == (3, 3)
            assert info["episode"]["r"] == pytest.approx(info["summary"]["r"])


def test_gymnasium_puts_such_environments_together() -> None:
    def make() -> Any:
        settings: dict[str, Any] = {"options": {"max_episode_steps": 3}, "judge": "truth"}
        return RecordEpisodeStatistics(envs.make(TASK, workers=0, **settings))

    with_statistics = SyncVectorEnv([make, make])
    with_statistics.reset(seed=1)
    for _ in range(3):
        *_, truncated, infos = with_statistics.step(np.array([8, 8]))
    assert truncated.tolist() == [True, True]
    assert infos["episode"]["l"].tolist() == infos["summary"]["l"].tolist() == [3, 3]
    assert not infos["summary"]["success"].any()
    with_statistics.step(np.array([8, 8]))  # the next episode begins
    with_statistics.close()

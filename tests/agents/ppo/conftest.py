"""The environment that PPO's implementations are compared in."""

import pytest
from gymnasium.wrappers import TimeLimit
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from tests.agents.ppo.walk import LIMIT, Walk


@pytest.fixture(scope="module")
def env() -> VecEnv:
    return DummyVecEnv([lambda: Monitor(TimeLimit(Walk(), LIMIT))] * 3)

"""A small environment and what a test keeps of training in it, to compare PPO's implementations."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from agents.network.extractor import NetHackExtractor
from agents.ppo.loss import STATISTICS

LIMIT = 5
"""Steps of an episode: less than a rollout, so that every rollout holds truncated episodes."""


class Walk(gymnasium.Env):
    """A hero on a ring of ten glyphs; the eighth to the right is the goal. Few maps, many steps."""

    observation_space = spaces.Dict(
        glyphs_crop=spaces.Box(0, 5976, (5, 5), np.int16),
        message=spaces.Box(0, 255, (256,), np.uint8),
        inv_glyphs=spaces.Box(0, 5976, (55,), np.int16),
        blstats=spaces.Box(-(2**31), 2**31, (27,), np.int64),
    )
    action_space = spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.at, self.time = int(self.np_random.integers(10)), 0
        return self.observation(), {}

    def step(self, action: int) -> Any:
        self.at, self.time = (self.at + int(action) - 1) % 10, self.time + 1
        return self.observation(), float(self.at == 8) - 0.1 * action, self.at == 8, False, {}

    def observation(self) -> dict[str, np.ndarray]:
        ring = 2359 + (np.arange(25) + self.at) % 10
        return {
            "glyphs_crop": ring.reshape(5, 5).astype(np.int16),
            "message": np.full(256, self.at if self.time % 2 else 0, np.uint8),
            "inv_glyphs": np.where(np.arange(55) < self.at, 2000, 5976).astype(np.int16),
            "blstats": np.arange(27) * self.time - self.at,
        }


class Kept(BaseCallback):
    """Rollouts and statistics of every update."""

    def __init__(self) -> None:
        super().__init__()
        self.rollouts: list[dict[str, np.ndarray]] = []
        self.logs: list[dict[str, float]] = []
        self.truncated = 0

    def _on_step(self) -> bool:
        self.truncated += sum(
            info.get("TimeLimit.truncated", False) for info in self.locals["infos"]
        )
        return True

    def keep(self) -> None:
        values = self.logger.name_to_value
        names = [*STATISTICS, "loss", "explained_variance"]
        if "train/loss" in values:
            self.logs.append({name: float(values[f"train/{name}"]) for name in names})

    def _on_rollout_end(self) -> None:
        buffer = self.model.rollout_buffer
        names = ("actions", "rewards", "values", "log_probs", "advantages", "returns")
        copies = {name: getattr(buffer, name).copy() for name in (*names, "episode_starts")}
        self.rollouts.append(copies | {k: v.copy() for k, v in buffer.observations.items()})


def settings(**more: Any) -> dict[str, Any]:
    extractor = {"encoder": "cnn", "features_dim": 32}
    return {
        "n_steps": 7,
        "batch_size": 11,  # does not divide 21
        "n_epochs": 2,
        "ent_coef": 0.01,
        "learning_rate": lambda left: 1e-3 * left,
        "seed": 3,
        "device": "cpu",
        "policy_kwargs": {
            "features_extractor_class": NetHackExtractor,
            "features_extractor_kwargs": extractor | more.pop("extractor", {}),
            "net_arch": more.pop("net_arch", []),
        },
    } | more


def kept_of_learning(model: OnPolicyAlgorithm, env: VecEnv, rollouts: int) -> Kept:
    """Trains for so many rollouts of 21 transitions."""
    copies = Kept()
    env.seed(5)
    dump = model.dump_logs
    model.dump_logs = lambda *a, **k: (copies.keep(), dump(*a, **k))  # type: ignore[method-assign]
    model.learn(rollouts * 21, callback=copies)
    del model.dump_logs
    copies.keep()
    return copies


def assert_the_same(
    ours: OnPolicyAlgorithm, our: Kept, theirs: OnPolicyAlgorithm, their: Kept
) -> None:
    """Three rollouts, their statistics and the weights after them are equal to rounding."""
    assert our.truncated == their.truncated > 3
    assert len(our.rollouts) == len(their.rollouts) == 3
    for mine, other in zip(our.rollouts, their.rollouts, strict=True):
        for name, values in other.items():
            assert mine[name].dtype == values.dtype, name
            np.testing.assert_allclose(mine[name], values, rtol=2e-4, atol=2e-5, err_msg=name)
    assert len(our.logs) == len(their.logs) == 3
    for mine, other in zip(our.logs, their.logs, strict=True):
        assert mine == pytest.approx(other, rel=1e-3, abs=1e-5)
    assert ours._n_updates == theirs._n_updates
    state = theirs.policy.state_dict()
    for name, weights in ours.policy.state_dict().items():
        torch.testing.assert_close(weights, state[name], rtol=1e-3, atol=2e-5, msg=name)

"""Has a run's own agent play held-out levels, and keeps what it observed.

`agents.inspection.explain` asks of these observations where the agent looks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from agents.inspection.load import trained
from agents.inspection.occlusion import CROP, Observations
from agents.training.run.folder import Run
from calm.errors import UsageError

CHARS = "chars_crop"
"""Observation key of the characters that are drawn."""
N_ENVS = 8
"""Environments that the agent plays."""


def observed(
    run: Run, count: int, seed: int
) -> tuple[PPO, Observations, npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Returns the run's agent, and its observations on held-out levels as `play` returns them.

    Raises:
        UsageError: the agent remembers more than its observation, or does not see the crop.
    """
    config = run.config
    if config.memory == "lstm":
        raise UsageError(
            "calm explain can't show agents with memory=lstm: it hides cells of one observation,"
            " and says nothing of what was kept of those before"
        )
    if CROP not in config.keys:
        raise UsageError(f"{run.folder}: only agents that see {CROP} can be explained so far")
    with trained(run, N_ENVS, seed, keys=(CHARS,)) as (model, env, *_):
        return model, *play(model, env, count)


def play(
    model: PPO, env: VecEnv, count: int
) -> tuple[Observations, npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Returns observations of the policy's own play, every third step.

    Returns:
        By key (count, ...); the crops' characters (count, h, w); which episode each is of (count,).
    """
    torch.manual_seed(0)
    observations: list[dict[str, npt.NDArray[Any]]] = []
    episodes: list[npt.NDArray[np.int64]] = []
    observation = env.reset()
    episode = np.arange(env.num_envs)
    for step in range(-(-count // env.num_envs) * 3):
        assert isinstance(observation, dict)
        if step % 3 == 0:
            observations.append({key: value.copy() for key, value in observation.items()})
            episodes.append(episode.copy())
        actions, _ = model.predict(observation, deterministic=False)
        observation, _, dones, _ = env.step(actions)
        episode[dones] += env.num_envs
    whole = {key: np.concatenate([o[key] for o in observations])[:count] for key in observations[0]}
    chars = whole.pop(CHARS)
    batch = {k: torch.as_tensor(v).float().to(model.device) for k, v in whole.items()}
    return batch, chars, np.concatenate(episodes)[:count]

"""Has a run's own agent play held-out levels, and keeps what it observed.

`agents.inspection.saliency.explain` asks of these observations where the agent looks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from agents.inspection.load import trained
from agents.inspection.saliency.occlusion import CROP, Observations, map_key
from agents.training.run.folder import Run
from calm.errors import UsageError

N_ENVS = 8
"""Environments that the agent plays."""


class Observed(NamedTuple):
    """Observations of an agent's own play."""

    batch: Observations
    """By key, (B, ...)."""
    chars: npt.NDArray[np.uint8]
    """Characters of the map that it acts on, (B, h, w)."""
    episodes: npt.NDArray[np.int64]
    """(B,), which episode each is of."""

    @property
    def hero(self) -> npt.NDArray[np.int64] | None:
        """The hero's row and column on the map, (B, 2); None of a level without `blstats`."""
        if map_key(self.batch) == CROP:
            middle = [size // 2 for size in self.chars.shape[1:]]
            return np.tile(np.array(middle, np.int64), (len(self.chars), 1))
        if "blstats" not in self.batch:
            return None
        return self.batch["blstats"][:, [1, 0]].long().cpu().numpy()  # after its x and y

    @property
    def frame(self) -> tuple[slice, slice]:
        """Rows and columns to draw: of a crop all, of levels those in which something was seen."""
        height, width = self.chars.shape[1:]
        shown = np.any(self.chars > ord(" "), axis=0, keepdims=True)[0]
        if map_key(self.batch) == CROP or not shown.any():
            return slice(height), slice(width)
        rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def observed(run: Run, count: int, seed: int) -> tuple[PPO, Observed]:
    """Returns the run's agent, and `count` observations of its play on held-out levels.

    Raises:
        UsageError: the agent remembers more than its observation, or sees no map.
    """
    config = run.config
    if config.memory == "lstm":
        raise UsageError(
            "calm explain can't show agents with memory=lstm: it hides cells of one observation,"
            " and says nothing of what was kept of those before"
        )
    chars = map_key(config.keys).replace("glyphs", "chars")
    with trained(run, N_ENVS, seed, keys=(chars,)) as (model, env, *_):
        return model, play(model, env, count, chars)


def play(model: PPO, env: VecEnv, count: int, chars: str) -> Observed:
    """Returns observations of the policy's own play, every third step.

    Args:
        model: the agent.
        env: what it plays.
        count: of observations.
        chars: the key of the characters that are drawn, which the agent does not see.
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
    drawn = whole.pop(chars)
    batch = {k: torch.as_tensor(v).float().to(model.device) for k, v in whole.items()}
    return Observed(batch, drawn, np.concatenate(episodes)[:count])

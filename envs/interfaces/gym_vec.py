"""Offers a batch as a `gymnasium.vector.VectorEnv`.

Automatic reset is SAME_STEP: the step that ends an episode returns the first observation of the
next one; the last observation is in infos["final_obs"], the figures of the episode in
infos["final_info"], both as gymnasium 1.2's own vector environments return them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from calm.errors import UsageError
from envs.game.engine import Array
from envs.interfaces.episodes import Episodes
from envs.observer import Bools
from envs.stepping.batch import Rewards

Observation = dict[str, Array]


class GymVec(VectorEnv[Observation, Array, Array]):
    """Vectorised MiniHack for gymnasium.

    Infos: with credit or a bonus, "r_env" and "credit" or "bonus" of every step (B,), the latter
    two not to be written to.
    For the episodes that ended, "final_obs" (B,) objects and "final_info" with "episode": the
    entries of `Episodes.summary`, each (B,). As everywhere in gymnasium, "_name" marks the rows in
    which "name" is valid.

    Args:
        episodes: not yet reset.
        split: of the level seeds that `reset(seed=)` draws.
    """

    def __init__(self, episodes: Episodes, split: str = "train") -> None:
        self.episodes = episodes
        self.batch = episodes.batch
        self.split = split
        self.num_envs = self.batch.n_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self.render_mode = None
        self.single_observation_space = episodes.space
        self.single_action_space = episodes.action_space
        self.observation_space = batch_space(episodes.space, self.num_envs)
        self.action_space = batch_space(episodes.action_space, self.num_envs)
        self._every = np.ones(self.num_envs, np.bool_)
        self._every.flags.writeable = False  # handed out in every step

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts new episodes in every environment; returns their first observations, and no infos.

        Args:
            seed: starts the streams of level seeds anew: an int for all of them, or one for each
                environment. Without it the streams continue.
            options: {"level_seeds": B ints} plays exactly these levels.
        """
        options = dict(options or {})
        level_seeds = options.pop("level_seeds", None)
        if options:
            raise UsageError(f"reset takes the option level_seeds, got {', '.join(options)}")
        if seed is not None:
            self.batch.reseed(self.split, seed)
        self.episodes.reset(level_seeds)
        return self.episodes.observation(), {}

    def step(
        self, actions: npt.ArrayLike
    ) -> tuple[Observation, Rewards, Bools, Bools, dict[str, Any]]:
        """Steps once; returns observations, shaped rewards (B,) float32, ends, infos."""
        episodes = self.episodes
        rewards, terminated, truncated = episodes.step(actions)
        infos: dict[str, Any] = {}
        for name, part in episodes.parts().items():
            infos |= {name: part, f"_{name}": self._every}
        if self.batch.any_ended:
            infos |= self._final(terminated | truncated)
        return episodes.observation(), rewards, terminated, truncated, infos

    def _final(self, ended: Bools) -> dict[str, Any]:
        """Returns the infos of the episodes that the last step ended, in rows `ended` (B,)."""
        observations = np.full(self.num_envs, None, dtype=object)
        episode: dict[str, Any] = {}
        for i in np.flatnonzero(ended).tolist():
            observations[i] = self.episodes.final(i)
            for name, value in self.episodes.summary(i).items():
                if name not in episode:
                    episode[name] = np.zeros(self.num_envs, type(value))
                    episode[f"_{name}"] = ended
                episode[name][i] = value
        info = {"episode": episode, "_episode": ended}
        return {
            "final_obs": observations,
            "_final_obs": ended,
            "final_info": info,
            "_final_info": ended,
        }

    def close_extras(self, **kwargs: Any) -> None:
        """Ends all games."""
        self.batch.close()

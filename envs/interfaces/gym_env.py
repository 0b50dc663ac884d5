"""Offers one game as a `gymnasium.Env`, with the same levels, rules and credit as a batch."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from calm.errors import UsageError
from envs.game.engine import Array
from envs.interfaces.episodes import Episodes

Observation = dict[str, Array]


class GymEnv(gymnasium.Env[Observation, np.int64]):
    """MiniHack with seeds that seed, straight from the engine.

    Infos: with credit or a bonus "r_env" and "credit" or "bonus"; at the end "summary", see
    `Episodes.summary`. The key "episode" is left to `gymnasium.wrappers.RecordEpisodeStatistics`.

    Args:
        episodes: of a batch of one, not yet reset.
        split: of the level seeds that `reset(seed=)` draws.
    """

    metadata = {"render_modes": []}  # noqa: RUF012, gymnasium's own declaration

    def __init__(self, episodes: Episodes, split: str = "train") -> None:
        self.episodes = episodes
        self.batch = episodes.batch
        self.split = split
        self.observation_space = episodes.space
        self.action_space = episodes.action_space
        self._over = False
        """The last step ended an episode, and the batch stands at the start of the next."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts a new episode; returns its first observation and {"level_seed": int}.

        Args:
            seed: starts the stream of level seeds anew; without it the stream continues.
            options: {"level_seed": int} plays exactly this level. After an episode's end it takes
                the place of the stream's next.

        Raises:
            UsageError: another option, or a level seed that is none.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        level_seed = options.pop("level_seed", None)
        if options:
            raise UsageError(f"reset takes the option level_seed, got {', '.join(options)}")
        if seed is not None:
            self.batch.reseed(self.split, [seed])
        if level_seed is not None:
            self.episodes.reset([level_seed])
        elif seed is not None or not self._over:
            self.episodes.reset()
        self._over = False
        return self._row(), {"level_seed": int(self.batch.level_seeds[0])}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Steps once; returns observation, shaped reward, terminated, truncated, info.

        Raises:
            UsageError: the episode is over, or there is no such action.
        """
        if self._over:
            raise UsageError("the episode is over; call reset()")
        episodes = self.episodes
        rewards, terminated, truncated = episodes.step(np.asarray([action]))
        info: dict[str, Any] = {name: float(part[0]) for name, part in episodes.parts().items()}
        self._over = bool(terminated[0] or truncated[0])
        if self._over:
            info["summary"] = episodes.summary(0)
        observation = episodes.final(0) if self._over else self._row()
        return observation, float(rewards[0]), bool(terminated[0]), bool(truncated[0]), info

    def _row(self) -> Observation:
        """Returns a copy of the present observation by key, without a batch axis."""
        return {key: array[0].copy() for key, array in self.episodes.observation().items()}

    def close(self) -> None:
        """Ends the game."""
        self._over = False  # nothing stands ready any more
        self.batch.close()

"""Offers a batch as a stable-baselines3 `VecEnv`; the only file of this layer that imports it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

from calm.errors import UsageError
from envs.game.engine import Array
from envs.interfaces.episodes import Episodes

Indices = None | int | Iterable[int]


class Sb3Vec(VecEnv):
    """Vectorised MiniHack for stable-baselines3.

    Infos, one dictionary an environment: with credit or a bonus "r_env" and "credit" or "bonus" of
    the step; at the end of an episode "terminal_observation", "TimeLimit.truncated", "is_success"
    (the task's goal was reached, whatever the credit says) and "episode", see `Episodes.summary`,
    in which SB3 reads "r" (the shaped return) and "l".

    Args:
        episodes: not yet reset.
        split: of the level seeds that `seed` draws.
    """

    def __init__(self, episodes: Episodes, split: str = "train") -> None:
        self.episodes = episodes
        self.batch = episodes.batch
        self.split = split
        self._actions: npt.ArrayLike | None = None
        self._starts: Sequence[int] | None = None
        self._levels: Sequence[int] | None = None
        super().__init__(self.batch.n_envs, episodes.space, episodes.action_space)

    def reset(self) -> dict[str, Array]:
        """Starts new episodes everywhere, on the levels of `set_options` or else of the streams."""
        if self._seeds[0] is not None:
            self.batch.reseed(self.split, self._seeds[0], self._starts)
        levels, self._starts, self._levels = self._levels, None, None
        self.episodes.reset(levels)
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = [{"level_seed": seed} for seed in self.batch.level_seeds.tolist()]
        return self.episodes.observation()

    def step_async(self, actions: npt.ArrayLike) -> None:
        """Takes the actions of the next `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[dict[str, Array], Array, Array, list[dict[str, Any]]]:
        """Steps once; returns observations, shaped rewards (B,) float32, dones (B,), infos.

        Raises:
            UsageError: there was no `step_async` before.
        """
        if self._actions is None:
            raise UsageError("call step_async() before step_wait()")
        episodes, actions, self._actions = self.episodes, self._actions, None
        rewards, terminated, truncated = episodes.step(actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for name, part in episodes.parts().items():
            for info, value in zip(infos, part.tolist(), strict=True):
                info[name] = value
        dones = terminated | truncated
        if self.batch.any_ended:
            for i in np.flatnonzero(dones).tolist():
                summary = episodes.summary(i)
                infos[i]["terminal_observation"] = episodes.final(i)
                infos[i]["TimeLimit.truncated"] = bool(truncated[i])
                infos[i]["is_success"] = summary["success"]
                infos[i]["episode"] = summary
                self.reset_infos[i] = {"level_seed": int(self.batch.level_seeds[i])}
        return episodes.observation(), rewards, dones, infos

    def close(self) -> None:
        """Ends all games."""
        self.batch.close()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Returns an attribute of the batch or of its episodes, for each environment.

        Of arrays with one row an environment, each gets its row.

        Raises:
            AttributeError: neither has it.
        """
        if attr_name == "render_mode":
            return [None for _ in self._get_indices(indices)]
        value = self._find(attr_name)
        rowwise = isinstance(value, np.ndarray) and value.shape[:1] == (self.num_envs,)
        return [value[i] if rowwise else value for i in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Raises UsageError: the environments share one batch."""
        raise UsageError(f"{attr_name} can't be set: the environments of a batch share their state")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls a method of the batch or its episodes that takes an environment's index first.

        E.g. `env_method("summary")` returns the figures of each environment's last episode.
        """
        method = self._find(method_name)
        return [method(i, *method_args, **method_kwargs) for i in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: Indices = None) -> list[bool]:
        """Returns whether a wrapper is there: SB3's Monitor is, since its sums are made here."""
        name = wrapper_class.__name__
        return [name == "Monitor" for _ in self._get_indices(indices)]

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Starts the streams of level seeds anew at the next reset; returns B seeds."""
        seeds: Sequence[int | None] = super().seed(seed)
        return seeds

    def set_options(self, options: list[dict[str, Any]] | dict[str, Any] | None = None) -> None:
        """Sets the levels of the next reset: {"level_seeds": B ints}."""
        if isinstance(options, list):
            raise UsageError("the environments of a batch share one dictionary of options")
        options = dict(options or {})
        self._levels = options.pop("level_seeds", None)
        if options:
            raise UsageError(f"reset takes the option level_seeds, got {', '.join(options)}")

    def start_at(self, episodes: Sequence[int]) -> None:
        """Sets where each stream begins at the next reset after `seed`, see `Batch.playing`."""
        self._starts = list(episodes)

    def _find(self, name: str) -> Any:
        """Returns an attribute of the batch or, where it has none of the name, of its episodes."""
        for owner in (self.batch, self.episodes):
            if hasattr(owner, name):
                return getattr(owner, name)
        raise AttributeError(f"neither the batch nor its episodes have {name!r}")

"""Steps games in this process, by Python over MiniHack's own objects: the plain path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from envs.game.crops import Crop
from envs.game.engine import ROW_KEYS, Array, Game
from envs.game.minihack_env import make_minihack
from envs.observer import Actions, Rows
from envs.stepping.backend import Games


class PlainBackend:
    """Steps games in this process, by Python; a `Backend`. Every task runs on it.

    Args:
        env: the first row's, from `make_minihack`; the others are made like it.
        games: to play; those keys that the rules read are there already.
    """

    def __init__(self, env: Any, games: Games) -> None:
        self._next_seed = games.next_seed
        n_envs = games.n_envs
        arrays: dict[str, Array] = {}
        self._crops: dict[str, tuple[str, Crop]] = {}
        for key in games.keys:
            base = key.removesuffix("_crop")
            shape, dtype = ROW_KEYS[base]
            if base != key:
                self._crops[key] = base, Crop(base, n_envs, games.crop, dtype)
                shape = (games.crop, games.crop)
            arrays[key] = np.zeros((n_envs, *shape), dtype)
        self.arrays: Mapping[str, Array] = arrays
        self.final: Mapping[str, Array] = {k: np.zeros_like(v) for k, v in arrays.items()}
        self.reward = np.zeros(n_envs, np.float32)
        self.status = np.zeros(n_envs, np.int8)
        self.steps = np.zeros(n_envs, np.int32)
        self.limit = np.zeros(n_envs, np.int32)
        self.level_seed = np.full(n_envs, -1, np.int64)
        self.final_steps = np.zeros(n_envs, np.int32)
        self.final_level_seed = np.full(n_envs, -1, np.int64)
        engine = [key for key in self.arrays if key in ROW_KEYS]
        self._games: list[Game] = []
        try:
            for i in range(n_envs):
                own = env if i == 0 else make_minihack(games.task, games.options)
                rows = {key: self.arrays[key][i] for key in engine}
                self._games.append(Game(own, rows, games.penalty))
            self.rules = self._games[0].rules
        except BaseException:
            self.close()
            raise

    def step(self, actions: Actions, reset: bool) -> int:
        if actions.min() < 0 or actions.max() >= len(self.rules.presses):
            return -1
        each = zip(self._games, actions.tolist(), self.limit.tolist(), strict=True)
        for i, (game, action, limit) in enumerate(each):
            self.reward[i], self.status[i] = game.step(action, limit)
        self.steps += 1
        self._crop()
        ended = np.flatnonzero(self.status)
        if ended.size:
            for key, array in self.arrays.items():
                self.final[key][ended] = array[ended]
            self.final_steps[ended] = self.steps[ended]
            self.final_level_seed[ended] = self.level_seed[ended]
            if reset:
                self.reset(ended, None)
        return int(ended.size)

    def reset(self, rows: Rows, seeds: Sequence[int] | None) -> None:
        for n, i in enumerate(rows.tolist()):
            seed = self._next_seed(i) if seeds is None else seeds[n]
            self._games[i].reset(seed)
            self.level_seed[i] = seed
            self.steps[i], self.limit[i] = 0, self.rules.max_steps
        self._crop()

    def redraw(self, rows: Sequence[int]) -> None:
        pass  # nothing is drawn ahead

    def _crop(self) -> None:
        for key, (base, crop) in self._crops.items():
            crop(self.arrays[base], self.arrays["blstats"], self.arrays[key])

    def close(self) -> None:
        for game in self._games:
            game.close()
        self._games = []

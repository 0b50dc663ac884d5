"""A batch of MiniHack games stepped together, with automatic reset: the core of all stepping.

No gymnasium and no stable-baselines3 in here; `envs.gym_vec` and `envs.sb3_vec` wrap it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError, unknown
from envs.crops import PADDING, Crop
from envs.engine import ENGINE_KEYS, Array, Game, Rules, make_minihack, read_rules, rule_keys
from envs.seeding import LevelSeeds

Bools = npt.NDArray[np.bool_]
Rewards = npt.NDArray[np.float32]

CROPS = tuple(f"{key}_crop" for key in PADDING)
KEYS = (*ENGINE_KEYS, *CROPS)
"""Every observation key on offer."""


class Observer(Protocol):
    """Looks at every transition of a batch: descriptions, truth, recorders."""

    keys: tuple[str, ...]
    """Keys of `Batch.arrays` that it reads."""

    def on_reset(self, rows: npt.NDArray[np.intp]) -> None:
        """These rows were reset; the arrays hold their first observation."""

    def on_step(self, actions: npt.NDArray[np.int64], terminated: Bools, truncated: Bools) -> None:
        """Every row was stepped; the arrays hold s', also for rows that have just ended."""


class Batch:
    """B games of one task. `step` steps all of them and resets those that ended.

    Args:
        task: MiniHack's id, e.g. "MiniHack-KeyRoom-S5-v0".
        n_envs: B >= 1.
        keys: observation keys to fill, out of `KEYS`.
        crop: odd size of the `*_crop` keys.
        penalty: False leaves MiniHack's -0.01 for steps in which no game time passes out of the
            reward.
        split: which level seeds are played, see `envs.seeding`.
        seed: of the streams of level seeds, one for each environment.
        level_seeds: instead of split and seed, one iterator of level seeds for each environment.
        extra_keys: keys to fill for observers, beside `keys`.
        options: keyword arguments of the MiniHack class, e.g. `des_file` for Custom tasks.

    Raises:
        UsageError: unknown task or key, no environments, a crop without a centre.
        GameError: the level does not compile.
    """

    def __init__(
        self,
        task: str,
        n_envs: int,
        keys: Sequence[str] = ("glyphs", "blstats", "message"),
        *,
        crop: int = 9,
        penalty: bool = True,
        split: str = "train",
        seed: int = 0,
        level_seeds: Sequence[Iterator[int]] | None = None,
        extra_keys: Sequence[str] = (),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if n_envs < 1:
            raise UsageError(f"a batch needs at least one environment, got {n_envs}")
        for key in (*keys, *extra_keys):
            if key not in KEYS:
                raise unknown("observation key", key, KEYS)
        if level_seeds is None:
            level_seeds = [LevelSeeds(split, seed, i) for i in range(n_envs)]
        elif len(level_seeds) != n_envs:
            raise UsageError(
                f"{n_envs} environments need as many streams of seeds, got {len(level_seeds)}"
            )
        self.task = task
        self.n_envs = n_envs
        self.keys = tuple(dict.fromkeys(keys))
        """The observation keys asked for; `arrays` may hold more."""
        self.streams: list[Iterator[int]] = list(level_seeds)
        self.observers: list[Observer] = []
        self.level_seeds: npt.NDArray[np.int64] = np.full(n_envs, -1, np.int64)
        """(B,) level seed of the running episode."""
        self.steps: npt.NDArray[np.int32] = np.zeros(n_envs, np.int32)
        """(B,) steps of the running episode so far."""
        self.final_steps: npt.NDArray[np.int32] = np.zeros(n_envs, np.int32)
        """(B,) length of the episode that the last step ended; valid where it ended one."""
        self.final_level_seeds = self.level_seeds.copy()
        """(B,) level seed of that episode."""
        self.status: npt.NDArray[np.int8] = np.zeros(n_envs, np.int8)
        """(B,) what the last step left: `RUNNING`, `WON`, `DIED` or `ABORTED` of `envs.engine`."""
        self._closed = False
        self._ready = False

        first = make_minihack(task, options)
        self.rules: Rules = read_rules(first)
        self.n_actions = len(self.rules.presses)
        self._crops = {
            key: Crop(key.removesuffix("_crop"), n_envs, crop, ENGINE_KEYS[base][1])
            for key in dict.fromkeys((*self.keys, *extra_keys))
            if (base := key.removesuffix("_crop")) != key
        }
        needed = [*self.keys, *extra_keys, *rule_keys(self.rules.path)]
        for key in self._crops:
            needed += [key.removesuffix("_crop"), "blstats"]
        self.arrays: dict[str, Array] = {}
        """By key, (B, ...): what the engine wrote. Rows are overwritten by every step."""
        for key in dict.fromkeys(needed):
            shape, dtype = ENGINE_KEYS.get(key) or (
                (crop, crop), ENGINE_KEYS[key.removesuffix("_crop")][1],
            )  # fmt: skip
            self.arrays[key] = np.zeros((n_envs, *shape), dtype)
        self.final: dict[str, Array] = {k: np.zeros_like(v) for k, v in self.arrays.items()}
        """By key, (B, ...): the last observation of the episode that the last step ended, in the
        rows where it ended one."""
        engine = [key for key in self.arrays if key in ENGINE_KEYS]
        self._games: list[Game] = []
        try:
            for i in range(n_envs):
                env = first if i == 0 else make_minihack(task, options)
                rows = {key: self.arrays[key][i] for key in engine}
                self._games.append(Game(env, rows, penalty))
        except BaseException:
            self.close()
            raise

    def reset(self, seeds: Sequence[int] | None = None) -> None:
        """Starts a new episode in every environment.

        Args:
            seeds: B level seeds for these episodes; by default the next of each stream.
        """
        self._check_open()
        if seeds is not None and len(seeds) != self.n_envs:
            raise UsageError(f"reset needs {self.n_envs} level seeds, got {len(seeds)}")
        for observer in self.observers:
            if missing := [key for key in observer.keys if key not in self.arrays]:
                raise UsageError(
                    f"{type(observer).__name__} reads {', '.join(missing)}; add to the batch's keys"
                )
        self._reset(np.arange(self.n_envs), seeds)
        self._crop(self.arrays)
        self._ready = True

    def step(self, actions: npt.ArrayLike) -> tuple[Rewards, Bools, Bools]:
        """One action in every environment; those that end are reset in the same step.

        Args:
            actions: (B,) integers in [0, n_actions).

        Returns:
            (B,) rewards float32, terminated, truncated. Never both of the latter.
        """
        self._check_open()
        if not self._ready:
            raise UsageError("call reset() before step()")
        actions = self._checked(actions)
        rewards = np.empty(self.n_envs, np.float32)
        for i, (game, action) in enumerate(zip(self._games, actions.tolist(), strict=True)):
            rewards[i], self.status[i] = game.step(action)
        terminated, truncated = self.status > 0, self.status < 0
        self.steps += 1
        for observer in self.observers:
            observer.on_step(actions, terminated, truncated)
        ended = np.flatnonzero(terminated | truncated)
        if ended.size:
            if self._crops:
                self._crop(self.arrays)
            for key, rows in self.arrays.items():
                self.final[key][ended] = rows[ended]
            self.final_steps[ended] = self.steps[ended]
            self.final_level_seeds[ended] = self.level_seeds[ended]
            self._reset(ended, None)
        self._crop(self.arrays)
        return rewards, terminated, truncated

    def reseed(self, split: str, seed: int | Sequence[int | None]) -> None:
        """New streams of level seeds, from which the next reset draws.

        Args:
            split: see `envs.seeding`.
            seed: one for the batch, as in the constructor; or one for each environment, which then
                plays what a batch of one with that seed would; None leaves a stream as it is.
        """
        if isinstance(seed, int | np.integer):
            self.streams = [LevelSeeds(split, int(seed), i) for i in range(self.n_envs)]
            return
        if len(seed) != self.n_envs:
            raise UsageError(f"{self.n_envs} environments need as many seeds, got {len(seed)}")
        self.streams = [
            stream if s is None else LevelSeeds(split, int(s), 0)
            for stream, s in zip(self.streams, seed, strict=True)
        ]

    def _reset(self, rows: npt.NDArray[np.intp], seeds: Sequence[int] | None) -> None:
        for i in rows.tolist():
            seed = next(self.streams[i]) if seeds is None else int(seeds[i])
            self._games[i].reset(seed)
            self.level_seeds[i] = seed
            self.steps[i] = 0
        for observer in self.observers:
            observer.on_reset(rows)

    def _crop(self, arrays: dict[str, Array]) -> None:
        for key, crop in self._crops.items():
            crop(arrays[key.removesuffix("_crop")], arrays["blstats"], arrays[key])

    def _checked(self, actions: npt.ArrayLike) -> npt.NDArray[np.int64]:
        array = np.asarray(actions)
        if array.shape != (self.n_envs,) or array.dtype.kind not in "iu":
            raise UsageError(
                f"actions must be {self.n_envs} integers, got {array.dtype} of shape {array.shape}"
            )
        if array.min() < 0 or array.max() >= self.n_actions:
            raise UsageError(
                f"actions of {self.task} run from 0 to {self.n_actions - 1}, got {array.tolist()}"
            )
        return array.astype(np.int64, copy=False)

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("this batch is closed; make a new one")

    def close(self) -> None:
        """Ends all games and removes their temporary folders. More than once does no harm."""
        self._closed = True
        for game in self._games:
            game.close()
        self._games = []

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

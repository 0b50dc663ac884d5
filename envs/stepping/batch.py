"""Steps a batch of MiniHack games together, with automatic reset: the core of all stepping.

No gymnasium and no stable-baselines3 in here; `envs.interfaces.gym_vec` and
`envs.interfaces.sb3_vec` wrap it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError, unknown
from envs.events.words import HEARS_ALL, check_version
from envs.game import messages
from envs.game.crops import PADDING
from envs.game.engine import ENGINE_KEYS, Array
from envs.game.rules import Rules
from envs.implementations import make_backend
from envs.observer import Bools, Observer
from envs.seeding import LevelSeeds, as_level_seed
from envs.stepping.backend import Backend, Games, NextSeed

Rewards = npt.NDArray[np.float32]

CROPS = tuple(f"{key}_crop" for key in PADDING)
KEYS = (*ENGINE_KEYS, *CROPS)
"""Every observation key on offer."""


class Batch:
    """B games of one task; `step` steps all of them and resets those that ended.

    Args:
        task: MiniHack's id, e.g. "MiniHack-KeyRoom-S5-v0".
        n_envs: B >= 1.
        keys: observation keys to fill, out of `KEYS`.
        crop: odd size of the `*_crop` keys.
        penalty: False leaves MiniHack's -0.01 for steps in which no game time passes out of the
            reward.
        split: which level seeds are played, see `envs.seeding`.
        seed: of the streams of level seeds, one for each environment.
        level_seeds: instead of split and seed, one iterator of level seeds for each environment,
            without end; some are drawn before they are played.
        extra_keys: keys to fill for observers, beside `keys`.
        options: keyword arguments of the MiniHack class, e.g. `des_file` for Custom tasks.
        workers: processes that play the games on the native path; by default one for each core,
            at most one for each environment. 0 plays in this process, which an abort of the
            engine then ends.
        native: True insists on the native path, False on the plain one; by default the native one
            where the task and the machine allow it.
        descriptions: version of the `events` text that observers write, see
            `envs.events.words.VERSIONS`.

    Raises:
        UsageError: unknown task, key or version, no environments, a crop without a centre.
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
        workers: int | None = None,
        native: bool | None = None,
        descriptions: int = 1,
    ) -> None:
        _check(n_envs, (*keys, *extra_keys), crop)
        check_version(descriptions)
        if level_seeds is None:
            level_seeds = [LevelSeeds(split, seed, i) for i in range(n_envs)]
        elif len(level_seeds) != n_envs:
            raise UsageError(
                f"{n_envs} environments need as many streams of seeds, got {len(level_seeds)}"
            )
        self.task = task
        self.n_envs = n_envs
        self.descriptions = descriptions
        self.keys = tuple(dict.fromkeys(keys))
        """The observation keys without `extra_keys`; `arrays` may hold more."""
        self.streams: list[Iterator[int]] = list(level_seeds)
        self.observers: list[Observer] = []
        self._closed = False
        self._ready = False
        self._resets_in_step = False

        needed = [*self.keys, *extra_keys]
        if descriptions >= HEARS_ALL:
            needed.append(messages.KEY)
        needed += [key.removesuffix("_crop") for key in needed if key in CROPS]
        games = Games(task, n_envs, needed, _drawer(self.streams), crop, penalty, options)
        self.backend: Backend = make_backend(games, workers, native)
        self.rules: Rules = self.backend.rules
        self.n_actions = len(self.rules.presses)
        self.arrays: Mapping[str, Array] = self.backend.arrays
        """By key, (B, ...): the present observations. Rows are overwritten by every step."""
        self.final: Mapping[str, Array] = self.backend.final
        """By key, (B, ...): the last observation of the episode that the last step ended, in the
        rows where it ended one."""
        self.status: npt.NDArray[np.int8] = self.backend.status
        """(B,) how games stand after the last step: `RUNNING`, `WON`, `LOST`, `DIED` or `ABORTED`
        of `envs.game.goal`."""
        self.rewards: npt.NDArray[np.float32] = self.backend.reward
        """(B,) the environment's own, of the last step; overwritten by the next."""
        self.any_ended = False
        """Whether the last step ended an episode: most don't, and need not be looked at closer."""
        self.level_seeds: npt.NDArray[np.int64] = self.backend.level_seed
        """(B,) level seed of the running episode."""
        self.steps: npt.NDArray[np.int32] = self.backend.steps
        """(B,) steps of the running episode so far."""
        self.final_level_seeds: npt.NDArray[np.int64] = self.backend.final_level_seed
        """(B,) level seed of the episode that the last step ended, where it ended one."""
        self.final_steps: npt.NDArray[np.int32] = self.backend.final_steps
        """(B,) length of that episode."""

    def reset(self, seeds: Sequence[int] | None = None) -> None:
        """Starts a new episode in every environment.

        Args:
            seeds: B level seeds for these episodes; by default the next of each stream.

        Raises:
            UsageError: another number of seeds, one that is none, an observer that reads keys which
                the batch does not have, or the batch is closed.
        """
        self._check_open()
        if seeds is not None:
            seeds = [as_level_seed(seed) for seed in seeds]
            if len(seeds) != self.n_envs:
                raise UsageError(f"reset needs {self.n_envs} level seeds, got {len(seeds)}")
        for observer in self.observers:
            if missing := [key for key in observer.keys if key not in self.arrays]:
                raise UsageError(
                    f"{type(observer).__name__} reads {', '.join(missing)}; add to the batch's keys"
                )
        # For observers that have to see every row before it is reset, that takes another turn.
        self._resets_in_step = all(getattr(o, "in_step", False) for o in self.observers)
        rows = np.arange(self.n_envs)
        self.backend.reset(rows, seeds)
        self._ready = True
        for observer in self.observers:
            observer.on_reset(rows)

    def step(self, actions: npt.ArrayLike) -> tuple[Rewards, Bools, Bools]:
        """Steps every environment by one action; those that end are reset in the same step.

        Args:
            actions: (B,) integers in [0, n_actions).

        Returns:
            (B,) rewards float32, terminated, truncated. Never both of the latter.

        Raises:
            UsageError: other actions, no reset before, or the batch is closed.
            GameError: worker processes keep dying.
        """
        self._check_open()
        if not self._ready:
            raise UsageError("call reset() before step()")
        checked = self._checked(actions)
        n_ended = self.backend.step(checked, reset=self._resets_in_step)
        # Games that are over stay so if an observer raises.
        self._ready = n_ended <= 0 or self._resets_in_step
        self.any_ended = n_ended > 0
        if n_ended > 0:
            terminated, truncated = self.status > 0, self.status < 0
        elif n_ended == 0:
            terminated, truncated = np.zeros((2, self.n_envs), np.bool_)
        else:
            raise UsageError(
                f"actions of {self.task} run from 0 to {self.n_actions - 1}, got {checked.tolist()}"
            )
        for observer in self.observers:
            observer.on_step(checked, terminated, truncated)
        if self.any_ended:
            ended = np.flatnonzero(self.status)
            if not self._resets_in_step:
                self.backend.reset(ended, None)
                self._ready = True
            for observer in self.observers:
                observer.on_reset(ended)
        return self.backend.reward.copy(), terminated, truncated

    def cut(self, rows: Bools) -> None:
        """Lets the running episodes of some rows, (B,), end with their next step, as at the limit.

        That step truncates them, unless it ends them otherwise.
        """
        self.backend.limit[rows] = self.steps[rows] + 1

    def reached(self, key: str) -> Array:
        """Returns the observations (B, ...) of a key that the last step led to, where it ended too.

        They are not to be written to, and overwritten by the next step.
        """
        array = self.arrays[key]
        if not self.any_ended:
            return array
        array = array.copy()
        ended = np.flatnonzero(self.status)
        array[ended] = self.final[key][ended]
        return array

    def playing(self) -> list[int]:
        """Returns the number, in its stream of seeds, of the episode that each environment plays.

        `reseed` starts the streams there again.

        Raises:
            UsageError: the seeds were not drawn from streams of `envs.seeding`.
        """
        numbers = []
        for stream, seed in zip(self.streams, self.level_seeds.tolist(), strict=True):
            # Seeds may have been drawn ahead, and a lost worker skips some.
            drawn = range(stream.episode - 1, -1, -1) if isinstance(stream, LevelSeeds) else ()
            number = next((e for e in drawn if stream.at(e) == seed), None)  # type: ignore[attr-defined]
            if number is None:
                raise UsageError(f"level seed {seed} does not come from this batch's streams")
            numbers.append(number)
        return numbers

    def reseed(
        self,
        split: str,
        seed: int | Sequence[int | None],
        episodes: Sequence[int] | None = None,
    ) -> None:
        """Replaces the streams of level seeds from which the next reset draws.

        Args:
            split: see `envs.seeding`.
            seed: one for the batch, as in the constructor; or one for each environment, which then
                plays what a batch of one with that seed would; None leaves a stream as it is.
            episodes: with one seed for the batch, where in its stream each environment begins, from
                0; by default at the start.

        Raises:
            UsageError: another number of seeds or episodes.
        """
        if isinstance(seed, int | np.integer):
            first = [0] * self.n_envs if episodes is None else episodes
            if len(first) != self.n_envs:
                raise UsageError(
                    f"{self.n_envs} environments need as many, got {len(first)} starts"
                )
            self.streams[:] = [LevelSeeds(split, int(seed), i, e) for i, e in enumerate(first)]
            anew = list(range(self.n_envs))
        elif len(seed) != self.n_envs:
            raise UsageError(f"{self.n_envs} environments need as many seeds, got {len(seed)}")
        else:
            anew = [i for i, s in enumerate(seed) if s is not None]
            for i in anew:
                self.streams[i] = LevelSeeds(split, int(seed[i] or 0), 0)
        self.backend.redraw(anew)

    def _checked(self, actions: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Returns the actions as (B,) int64; raises a UsageError where they are no B integers."""
        array = np.asarray(actions)
        if array.shape != (self.n_envs,) or array.dtype.kind not in "iu":
            raise UsageError(
                f"actions must be {self.n_envs} integers, got {array.dtype} of shape {array.shape}"
            )
        return array.astype(np.int64, copy=False)

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("this batch is closed; make a new one")

    def close(self) -> None:
        """Ends all games, processes and temporary folders. More than once does no harm."""
        if not self._closed:
            self._closed = True
            self.backend.close()

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _check(n_envs: int, keys: Sequence[str], crop: int) -> None:
    """Raises a UsageError where there are no environments, no such keys, or no such crops."""
    if n_envs < 1:
        raise UsageError(f"a batch needs at least one environment, got {n_envs}")
    for key in keys:
        if key not in KEYS:
            raise unknown("observation key", key, KEYS)
    if crop < 1 or crop % 2 == 0:
        raise UsageError(f"a crop has a centre, so its size is odd and positive, got {crop}")


def _drawer(streams: list[Iterator[int]]) -> NextSeed:
    """Returns a function that draws a row's next level seed.

    It knows the list alone and not the batch, so that a batch that is dropped is freed at once, and
    its processes with it.
    """

    def draw(row: int) -> int:
        try:
            return as_level_seed(next(streams[row]))
        except StopIteration:
            raise UsageError(
                f"the level seeds of environment {row} came to an end; streams go on for ever"
            ) from None

    return draw

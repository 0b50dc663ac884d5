"""Draws level seeds: three splits that never meet, and streams that can be drawn again.

MiniHack ignores `reset(seed=)`; what seeds the engine is `nle.seed(core, disp, reseed, lgen)`
before the reset. One number, the level seed, stands for all four: both generators get it, the game
never reseeds itself, levels are drawn from the core generator.

`data` levels are for shipped and judged transitions, `test` levels for measuring success, `train`
levels for learning.
"""

from __future__ import annotations

import operator
import zlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError, unknown

SPLITS: Mapping[str, range] = MappingProxyType(
    {
        "data": range(0, 1_000_000),
        "test": range(1_000_000, 2_000_000),
        "train": range(2_000_000, 2**31),
    }
)
"""Level seeds by split. No number lies in two."""

_MASK = 2**64 - 1


def _mix(x: int) -> int:
    """Returns SplitMix64's finaliser of x (Steele, Lea and Flood 2014), a bijection of 64 bits."""
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Returns numbers mixed, of the same shape, each as SplitMix64's finaliser does it."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def as_level_seed(level_seed: SupportsIndex) -> int:
    """Returns a level seed, from a split or not, as the engine and the batch's arrays hold it.

    Raises:
        UsageError: it is no integer, or does not lie in [0, 2**63).
    """
    try:
        number = operator.index(level_seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**63:
        raise UsageError(f"level seeds are integers from 0 to 2**63 - 1, got {level_seed!r}")
    return number


class LevelSeeds(Iterator[int]):
    """Draws the level seeds that one environment plays, episode after episode, without end.

    A function of (split, seed, env index, episode) alone: neither the number of environments or
    workers nor the order in which they finish changes it.

    Args:
        split: `data`, `test` or `train`.
        seed: the run's seed, any integer.
        env_index: which environment of the batch, from 0.
        episode: the next episode's number, from 0; a resumed run starts where it stopped.

    Raises:
        UsageError: no such split, or a negative number.
    """

    def __init__(self, split: str, seed: int, env_index: int, episode: int = 0) -> None:
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        if env_index < 0 or episode < 0:
            raise UsageError(
                f"environments and episodes count from 0, got {env_index} and {episode}"
            )
        self.split = split
        self.episode = episode
        """The number of the episode whose seed comes next."""
        self._range = SPLITS[split]
        stream = zlib.crc32(split.encode())
        for part in (seed & _MASK, env_index):
            stream = _mix(stream ^ part)
        self._stream = stream

    def at(self, episode: int) -> int:
        """Returns the level seed of one episode, wherever the iterator stands."""
        return self._range[_mix(self._stream ^ _mix(episode)) % len(self._range)]

    def __next__(self) -> int:
        level_seed = self.at(self.episode)
        self.episode += 1
        return level_seed

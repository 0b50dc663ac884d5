"""Cuts a minibatch into chunks that fit the caches, with equal observations once in each.

An agent that bumps into a wall sees the same map again: of 1,024 random transitions of KeyRoom-S5
half hold different 9x9 crops, of KeyRoom-S15 seven tenths; messages and inventories differ less
often still, and a window of crops shares most of them with those before it. A part of the network
that sees one of these alone need not be computed twice for equal ones; features and gradients are
the same to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Indices = npt.NDArray[np.int64]

CHUNK = 256
"""Transitions in a chunk. Of 64 to 1,024, 256 was as fast as any (oneDNN, 1 MiB of L2 cache), and
torch's memory for larger ones is fetched from the system anew each time."""


PAD = 32
"""Distinct rows are filled up to a multiple of this: oneDNN makes and keeps code for every size."""
NEW = 6
"""What a distinct row costs more than one that is there already: most of a network sees the map."""


@dataclass(frozen=True)
class Repeated:
    """Observations of one key of which many are equal: the i-th is `rows[index[i]]`.

    A network computes features of them by `through` alone.
    """

    rows: Tensor
    """(distinct, ...); some may be there only to fill up."""
    index: Tensor
    """(B,) int64; of windows of T rows each, (B, T)."""

    def through(self, part: Callable[[Tensor], Tensor]) -> Tensor:
        """Returns features (B, ...) of the observations, of windows (B, T, ...).

        Args:
            part: of the network, which looks at rows one by one: (n, ...) to features (n, ...).
        """
        return self._at_index(part(self.rows))

    def _at_index(self, features: Tensor) -> Tensor:
        """Returns the features (B, ...) or (B, T, ...) of features (rows, ...)."""
        rows = features.index_select(0, self.index.flatten())
        return rows.view(*self.index.shape, *features.shape[1:])


class Memory:
    """Remembers the features of the rows of one key that a rollout has met.

    Valid as long as the weights stay as they are.
    """

    def __init__(self) -> None:
        self._number: dict[bytes, int] = {}
        self._features = torch.empty(0)

    def look(self, values: npt.NDArray[np.generic], ndim: int) -> Remembered:
        """Returns observations (B, ...), of which those met before are not computed again.

        Args:
            values: (B, ...), of windows (B, T, ...).
            ndim: axes of one row.
        """
        number, known = self._number, len(self._number)
        rows = _rows(values, ndim)
        index = [number.setdefault(row, len(number)) for row in _as_bytes(rows)]
        new = [index.index(i) for i in range(known, len(number))]
        at = torch.tensor(index).view(values.shape[: values.ndim - ndim])
        return Remembered(torch.from_numpy(rows[new]), at, self, known)

    def keep(self, known: int, features: Tensor) -> None:
        """Adds the features of new rows, numbered from `known` on."""
        needed = known + len(features)
        if needed > len(self._features):
            grown = features.new_empty((max(256, 2 * needed), *features.shape[1:]))
            if known:
                grown[:known] = self._features[:known]
            self._features = grown
        self._features[known:needed] = features

    @property
    def features(self) -> Tensor:
        """Of all rows met so far, by their numbers; there may be room behind them."""
        return self._features


@dataclass(frozen=True)
class Remembered(Repeated):
    """Observations of which `rows` are new to a memory; `index` counts all that it has met."""

    memory: Memory
    """It keeps the features of the new rows."""
    known: int
    """Rows that it had met before."""

    def through(self, part: Callable[[Tensor], Tensor]) -> Tensor:
        if len(self.rows):
            self.memory.keep(self.known, part(self.rows))
        return self._at_index(self.memory.features)


def number_rows(values: npt.NDArray[np.generic], ndim: int) -> Indices:
    """Returns a number for each row: equal rows share one, by first appearance.

    Args:
        values: (N, ...), of windows (N, T, ...).
        ndim: axes of one row.

    Returns:
        (N,), of windows (N, T).
    """
    number: dict[bytes, int] = {}
    rows = _rows(values, ndim)
    numbers = [number.setdefault(row, len(number)) for row in _as_bytes(rows)]
    return np.asarray(numbers, np.int64).reshape(values.shape[: values.ndim - ndim])


def _rows(values: npt.NDArray[np.generic], ndim: int) -> npt.NDArray[np.generic]:
    """Returns values as rows of `ndim` axes, one after the other."""
    return np.ascontiguousarray(values).reshape(-1, *values.shape[values.ndim - ndim :])


def _as_bytes(rows: npt.NDArray[np.generic]) -> Iterator[bytes]:
    """Yields the memory of each row."""
    raw, width = rows.tobytes(), rows[0].nbytes
    return (raw[at : at + width] for at in range(0, len(raw), width))


def cut(rows: Indices, numbers: Indices | None, size: int = CHUNK) -> list[Indices]:
    """Cuts a minibatch into chunks of about `size` rows and of equal work; returns their rows.

    Args:
        rows: (M,) rows of the rollout in the minibatch.
        numbers: of the rollout's rows, by `number_rows`: rows of the same number come one after
            the other, of windows those that end alike. None leaves the order as it is.
    """
    if numbers is None:
        return np.split(rows, range(size, len(rows), size))
    numbers = numbers.reshape(len(numbers), -1)[:, -1]
    rows = rows[np.argsort(numbers[rows], kind="stable")]
    new = np.diff(numbers[rows], prepend=-1) != 0
    work = np.cumsum(1 + NEW * new)
    parts = -(-len(rows) // size)
    at = np.searchsorted(work, np.arange(1, parts) * work[-1] / parts)
    grain = min(PAD, max(1, size // 8))
    cuts = np.unique(np.round(at / grain).astype(np.int64) * grain)
    return [chunk for chunk in np.split(rows, cuts) if len(chunk)]


def pick(
    stored: Mapping[str, Tensor], rows: Indices, repeats: Mapping[str, Indices]
) -> dict[str, Tensor | Repeated]:
    """Returns observations of M rows of a rollout by key, (M, ...), or with equal rows once.

    Args:
        stored: by key, (N, ...).
        rows: (M,).
        repeats: by key whose equal rows are given once, their numbers.
    """
    where = torch.from_numpy(rows)
    picked: dict[str, Tensor | Repeated] = {}
    for key, values in stored.items():
        if key in repeats:
            numbers = repeats[key][rows]  # (M,), of windows (M, T)
            _, first, index = np.unique(numbers, return_index=True, return_inverse=True)
            some = np.concatenate([first, np.zeros(-len(first) % PAD, first.dtype)])
            at = tuple(map(torch.from_numpy, np.unravel_index(some, numbers.shape)))
            distinct = values[(where[at[0]], *at[1:])]
            picked[key] = Repeated(distinct, torch.from_numpy(index.reshape(numbers.shape)))
        else:
            picked[key] = values.index_select(0, where.to(values.device))
    return picked

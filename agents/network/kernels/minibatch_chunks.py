"""Cuts a minibatch into chunks that fit the caches, with equal observations once in each.

An agent that bumps into a wall sees the same map again: of 1,024 random transitions of KeyRoom-S5
half hold different 9x9 crops, of KeyRoom-S15 seven tenths. A part of the network that sees the crop
alone need not be computed twice for equal ones; features and gradients are the same to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """(B,) int64."""

    def through(self, part: Callable[[Tensor], Tensor]) -> Tensor:
        """Returns features (B, ...) of the observations.

        Args:
            part: of the network, which looks at rows one by one: (n, ...) to features (n, ...).
        """
        return part(self.rows).index_select(0, self.index)


class Memory:
    """Remembers the features of the rows of one key that a rollout has met.

    Valid as long as the weights stay as they are.
    """

    def __init__(self) -> None:
        self._number: dict[bytes, int] = {}
        self._features = torch.empty(0)

    def look(self, values: npt.NDArray[np.generic]) -> Remembered:
        """Returns observations (B, ...), of which those met before are not computed again."""
        number, known = self._number, len(self._number)
        raw, width = np.ascontiguousarray(values).tobytes(), values[0].nbytes
        index = [
            number.setdefault(raw[at : at + width], len(number)) for at in range(0, len(raw), width)
        ]
        new = [index.index(i) for i in range(known, len(number))]
        return Remembered(torch.from_numpy(values[new]), torch.tensor(index), self, known)

    def keep(self, known: int, features: Tensor) -> None:
        """Adds the features of new rows, numbered from `known` on."""
        needed = known + len(features)
        if needed > len(self._features):
            grown = features.new_empty((max(256, 2 * needed), *features.shape[1:]))
            if known:
                grown[:known] = self._features[:known]
            self._features = grown
        self._features[known:needed] = features

    def recall(self, index: Tensor) -> Tensor:
        """Returns the features (B, ...) of rows by their numbers (B,)."""
        return self._features.index_select(0, index)


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
        return self.memory.recall(self.index)


def number_rows(rows: npt.NDArray[np.generic]) -> Indices:
    """Returns a number for each of N rows (N, ...): equal rows share one, by first appearance."""
    width = rows[0].nbytes
    raw = np.ascontiguousarray(rows).tobytes()
    number: dict[bytes, int] = {}
    rows_as_bytes = [raw[at : at + width] for at in range(0, len(raw), width)]
    return np.asarray([number.setdefault(row, len(number)) for row in rows_as_bytes], np.int64)


def cut(rows: Indices, numbers: Indices | None, size: int = CHUNK) -> list[Indices]:
    """Cuts a minibatch into chunks of about `size` rows and of equal work; returns their rows.

    Args:
        rows: (M,) rows of the rollout in the minibatch.
        numbers: (N,) of the rollout's rows, by `number_rows`: rows of the same number come one
            after the other. None leaves the order as it is.
    """
    if numbers is None:
        return np.split(rows, range(size, len(rows), size))
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
            _, first, index = np.unique(repeats[key][rows], return_index=True, return_inverse=True)
            some = np.concatenate([first, np.zeros(-len(first) % PAD, first.dtype)])
            distinct = values.index_select(0, torch.from_numpy(rows[some]))
            picked[key] = Repeated(distinct, torch.from_numpy(index))
        else:
            picked[key] = values.index_select(0, where.to(values.device))
    return picked

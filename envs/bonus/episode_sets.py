"""Keeps the set of numbers that each running episode has met, for all environments at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from envs.game.engine import Array
from envs.observer import Bools, Rows
from envs.seeding import mix

Numbers = npt.NDArray[np.uint64]


class EpisodeSets:
    """A set of 64-bit numbers for each of B environments.

    One open-addressing table a row, probed in all rows together, so that a step costs a few array
    operations whatever B is.

    Args:
        n_envs: B.
        places: of each row's table to begin with, a power of two; it grows with the sets.
    """

    def __init__(self, n_envs: int, places: int = 256) -> None:
        self._rows = np.arange(n_envs)
        self._tables: Numbers = np.zeros((n_envs, places), np.uint64)  # 0 is a free place
        self._sizes = np.zeros(n_envs, np.int64)

    def add(self, numbers: Numbers) -> Bools:
        """Adds one number to each set; returns where it is new in the set, (B,).

        Args:
            numbers: (B,) uint64, well mixed (`envs.seeding.mix`): their low bits choose places.
        """
        return self.add_to(self._rows, numbers)

    def add_to(self, rows: Rows, numbers: Numbers) -> Bools:
        """Adds one number to the set of each of some different rows; returns where it is new, (R,).

        Args:
            rows: (R,).
            numbers: (R,) uint64, well mixed.
        """
        if 2 * int(self._sizes.max()) >= self._tables.shape[1]:
            self._grow()
        fresh = self._put(rows, np.maximum(numbers, np.uint64(1)))
        self._sizes[rows] += fresh
        return fresh

    def clear(self, rows: Rows) -> None:
        """Empties the sets of these rows."""
        self._tables[rows] = 0
        self._sizes[rows] = 0

    def _put(self, rows: Rows, numbers: Numbers) -> Bools:
        """Puts one number into the table of each of some rows; returns where it is new, (R,)."""
        fresh = np.zeros(len(rows), np.bool_)
        last = np.uint64(self._tables.shape[1] - 1)
        left = np.arange(len(rows))
        places = numbers & last
        while left.size:
            there = self._tables[rows[left], places[left]]
            free = there == 0
            if free.any():
                new = left[free]
                self._tables[rows[new], places[new]] = numbers[new]
                fresh[new] = True
            left = left[~free & (there != numbers[left])]
            places[left] = (places[left] + np.uint64(1)) & last
        return fresh

    def _grow(self) -> None:
        """Doubles the places of all tables."""
        old = self._tables
        self._tables = np.zeros((len(old), 2 * old.shape[1]), np.uint64)
        for column in old.T:
            rows = np.flatnonzero(column)
            self._put(rows, column[rows])


def numbers_of_rows(rows: Array) -> Numbers:
    """Returns a well mixed number for the content of each row of (B, ...), (B,) uint64.

    Different contents share one with a chance of 2^-64.
    """
    flat = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
    words = -(-flat.shape[1] // 8)
    padded = np.zeros((len(rows), 8 * words), np.uint8)
    padded[:, : flat.shape[1]] = flat
    at = mix(np.arange(words, dtype=np.uint64))
    return mix(np.bitwise_xor.reduce(mix(padded.view(np.uint64) ^ at), axis=1))

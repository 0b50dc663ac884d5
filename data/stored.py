"""Rows and answers that lie in files and are read when they are needed, so that none fill memory.

What reads a sequence of rows or answers from front to back works on a list and on a stored one
alike. Reading a stored one in another order is slow.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
import numpy.typing as npt

from calm.records import LabelledTransition
from data.judgement_spool import JudgementSpool
from data.parquet import (
    Transitions,
    count_rows,
    iterate_outlines,
    iterate_rows,
    read_outline,
    read_transitions,
)
from data.schema import JudgedTransition

T = TypeVar("T")
U = TypeVar("U")
Numbers = npt.NDArray[np.int32]
"""Of items of a file, from 0, each higher than the one before."""

IN_MEMORY = 20_000
"""Rows of a part up to which it is held in memory; screens included some 100 MB."""
BLOCK = 4096


class Outline(NamedTuple):
    """What a row is of, without its texts."""

    id: str
    task: str
    truth: Mapping[str, bool]


class Stored(Sequence[T]):
    """Items of a file in their order.

    Args:
        read: yields the items of some numbers.
        numbers: of the items that this sequence holds.
    """

    def __init__(self, read: Callable[[Numbers], Iterator[T]], numbers: Numbers) -> None:
        self._read, self.numbers = read, numbers
        self._place = 0
        self._ahead: Iterator[T] = iter(())
        """Items from `_place` on, for one who asks for single items from front to back."""

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[T]:
        return self._read(self.numbers)

    @overload
    def __getitem__(self, i: int) -> T: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[T]: ...
    def __getitem__(self, i: int | slice) -> T | Sequence[T]:
        if isinstance(i, slice):
            return list(self._read(self.numbers[i]))
        i = range(len(self))[i]
        if not self._place <= i <= self._place + BLOCK or not i:
            self._place, self._ahead = i, self._read(self.numbers[i:])
        while True:
            item = next(self._ahead)
            self._place += 1
            if self._place == i + 1:
                return item

    def taken(self, indices: npt.NDArray[np.integer[Any]]) -> Stored[T]:
        """Returns some of the items, by their rising indices in this sequence."""
        return Stored(self._read, self.numbers[indices])

    def mapped(self, function: Callable[[T], U]) -> Stored[U]:
        """Returns what a function makes of each item."""
        return Stored(lambda numbers: map(function, self._read(numbers)), self.numbers)


class StoredRows(Stored[LabelledTransition]):
    """Rows of a file of transitions, by default without their screens.

    Args:
        path: of the file.
        numbers: of the rows.
        screens: whether they have their screens.
    """

    def __init__(self, path: Path, numbers: Numbers, screens: bool = False) -> None:
        super().__init__(lambda wanted: iterate_rows(path, wanted, screens), numbers)
        self._path = path

    def taken(self, indices: npt.NDArray[np.integer[Any]]) -> StoredRows:
        """Returns some of the rows, by their rising indices in this sequence."""
        return StoredRows(self._path, self.numbers[indices])

    def outlines(self) -> Iterator[Outline]:
        """Yields what each row is of, without reading its texts."""
        return (Outline(*values) for values in iterate_outlines(self._path, self.numbers))

    def with_screens(self) -> StoredRows:
        """Returns the same rows with their screens."""
        return StoredRows(self._path, self.numbers, screens=True)


class Joined(Sequence[T]):
    """Several sequences one after the other."""

    def __init__(self, parts: Sequence[Sequence[T]]) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[T]:
        for part in self._parts:
            yield from part

    @overload
    def __getitem__(self, i: int) -> T: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[T]: ...
    def __getitem__(self, i: int | slice) -> T | Sequence[T]:
        if isinstance(i, slice):
            return [self[k] for k in range(len(self))[i]]
        i = range(len(self))[i]
        part = bisect_right(self._ends, i)
        return self._parts[part][i - (self._ends[part - 1] if part else 0)]


def joined(parts: Sequence[Sequence[T]]) -> Sequence[T]:
    """Returns sequences one after the other: a list of lists, and what is stored stays so."""
    if any(isinstance(part, Stored | Joined) for part in parts):
        return Joined(parts)
    return [item for part in parts for item in part]


def open_part(path: Path, in_memory: int = IN_MEMORY) -> Transitions:
    """Returns the rows of a file and their tasks: in memory, or read as they are needed.

    Args:
        path: of a file of transitions.
        in_memory: rows up to which the first is done.

    Raises:
        UsageError: as `read_transitions`; of what is read later, when it is read.
    """
    count = count_rows(path)
    if count <= in_memory:
        return read_transitions(path)
    tasks, _ = read_outline(path)
    return Transitions(StoredRows(path, np.arange(count, dtype=np.int32)), tasks)


def outlines(rows: Sequence[LabelledTransition]) -> Iterator[Outline]:
    """Yields what each row is of."""
    if isinstance(rows, StoredRows):
        return rows.outlines()
    return (Outline(row.transition.id, row.transition.task, row.truth) for row in rows)


def outlined_tasks(rows: Sequence[LabelledTransition]) -> list[str]:
    """Returns the ids of the tasks that rows are of, in the order in which they first come."""
    return list(dict.fromkeys(outline.task for outline in outlines(rows)))


def with_screens(rows: Sequence[LabelledTransition]) -> list[LabelledTransition]:
    """Returns rows in memory, with their screens."""
    return list(rows.with_screens() if isinstance(rows, StoredRows) else rows)


def items_at(items: Sequence[T], indices: npt.NDArray[np.integer[Any]]) -> Sequence[T]:
    """Returns some of the items by their indices; stored ones only in rising order."""
    if isinstance(items, Stored):
        return items.taken(indices)
    return [items[i] for i in indices.tolist()]


def items_where(items: Sequence[T], wanted: Iterable[bool]) -> Sequence[T]:
    """Returns the items for which a value of `wanted`, one for each, is true."""
    return items_at(items, np.flatnonzero(np.fromiter(wanted, bool, len(items))))


def in_blocks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yields stored items in blocks, of which one is in memory; others all at once."""
    if not isinstance(items, Stored):
        yield items
        return
    remaining = iter(items)
    while block := list(islice(remaining, BLOCK)):
        yield block


def stored_like(
    rows: Sequence[LabelledTransition], judged: Iterable[JudgedTransition]
) -> Sequence[JudgedTransition]:
    """Returns answers, one a row, in memory where the rows are, else in a file without a name.

    The file goes with the last who uses it, and with the process.
    """
    if not isinstance(rows, Stored):
        return list(judged)
    return Stored(JudgementSpool(judged), np.arange(len(rows), dtype=np.int32))

"""The rows of a part that a judge is asked about: streamed in blocks, drawn, or one shard of them.

Rows are in the order in which they are answered: task after task, as in the file within a task. A
shard is a run of them, so the tables of all shards, one after the other, are the whole table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from calm.errors import UsageError, unknown
from calm.records import Task, Transition
from data import stored
from data.dataset import load, locate
from data.parquet import iterate_transitions, read_outline
from data.sampling import draw
from data.stored import in_blocks, items_at, outlines


class Shard(NamedTuple):
    """One of several parts of nearly equal size."""

    number: int
    """From 1."""
    of: int


@dataclass(frozen=True)
class Rows:
    """The rows to ask about, of one or more tasks."""

    tasks: Mapping[str, Task]
    counts: Mapping[str, int]
    """Rows of each task."""
    blocks: Callable[[str], Iterator[list[Transition]]]
    """Yields a task's rows in blocks, of which one is in memory."""


def read_shard(text: str) -> Shard:
    """Returns the shard that a text such as `3/8` names.

    Raises:
        UsageError: it names none.
    """
    parts = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if not parts or not 1 <= int(parts[1]) <= int(parts[2]):
        raise UsageError(f"a shard is such as 3/8, the third of eight, not {text!r}")
    return Shard(int(parts[1]), int(parts[2]))


def open_rows(
    data: str, part: str = "", *, limit: int = 0, seed: int = 0, shard: Shard | None = None
) -> Rows:
    """Returns the rows of a set's part, by default its first.

    Args:
        data: name of a set, its folder, or a parquet file.
        limit: rows that are drawn, see `data.sampling.draw`; 0 for all.
        seed: of the draw.
        shard: the part of these rows; None for all.

    Raises:
        UsageError: no such set or part, or there is nothing in it.
    """
    if limit:
        return _drawn(data, part, limit, seed, shard)
    name, files = locate(data)
    if part and part not in files:
        raise unknown("part", part, files)
    path = files[part or next(iter(files))]
    tasks, counts = read_outline(path)
    if not any(counts.values()):
        raise UsageError(f"{name} holds no transitions")
    ranges = _ranges(counts, shard)

    def blocks(task: str) -> Iterator[list[Transition]]:
        first, last = ranges[task]
        if first < last:
            for rows in iterate_transitions(path, task, first, last):
                yield [row.transition for row in rows]

    return Rows(tasks, {task: last - first for task, (first, last) in ranges.items()}, blocks)


def _drawn(data: str, part: str, limit: int, seed: int, shard: Shard | None) -> Rows:
    """Returns rows that are drawn."""
    whole = load(data, in_memory=stored.IN_MEMORY).part(part)
    drawn = draw(whole, limit, seed)
    tasks = list(whole.tasks)
    number = {task: i for i, task in enumerate(tasks)}
    task_of = np.fromiter((number[row.task] for row in outlines(drawn)), np.int32, len(drawn))
    indices = {task: np.flatnonzero(task_of == i) for task, i in number.items()}
    ranges = _ranges({task: len(of) for task, of in indices.items()}, shard)

    def blocks(task: str) -> Iterator[list[Transition]]:
        first, last = ranges[task]
        if first < last:
            for rows in in_blocks(items_at(drawn, indices[task][first:last])):
                yield [row.transition for row in rows]

    return Rows(whole.tasks, {task: last - first for task, (first, last) in ranges.items()}, blocks)


def _ranges(counts: Mapping[str, int], shard: Shard | None) -> dict[str, tuple[int, int]]:
    """Returns for each task the first of its rows in a shard and the one after the last."""
    total = sum(counts.values())
    number, of = shard or Shard(1, 1)
    first, last = total * (number - 1) // of, total * number // of
    ranges, before = {}, 0
    for task, count in counts.items():
        begin = min(count, max(0, first - before))
        ranges[task] = (begin, max(begin, min(count, last - before)))
        before += count
    return ranges

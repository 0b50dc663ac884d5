"""Reads and writes transitions and labels as parquet.

A file of transitions carries its tasks (goal, subgoals with their definitions, actions, legend) in
its metadata, so one file is all a judge needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from calm.errors import UsageError
from calm.records import LabelledTransition, Subgoal, Task
from data import parquet_file
from data.parquet_file import (
    batches,
    batches_with,
    check_names,
    opened,
    read_rows,
    records_of,
    write_rows,
)
from data.schema import (
    LABELS,
    TRANSITIONS,
    Label,
    label_of,
    label_row,
    transition_of,
    transition_row,
)

_SCREENS = ("before_chars", "before_colours", "after_chars", "after_colours")
"""Columns that people look at and no judge reads."""


@dataclass(frozen=True, slots=True)
class Transitions:
    """A file of transitions: the rows, and the tasks they are of."""

    rows: Sequence[LabelledTransition]
    tasks: dict[str, Task]


def write_transitions(
    path: str | Path, rows: Iterable[LabelledTransition], tasks: Mapping[str, Task]
) -> None:
    """Writes rows and their tasks; the same rows give the same bytes.

    Raises:
        UsageError: a row is of a task that is not in `tasks`, or lacks the truth of a subgoal
            that its task asks about while other rows of the task have it.
    """
    records = list(rows)
    known: dict[str, set[str]] = {}
    for row in records:
        known.setdefault(row.transition.task, set()).update(row.truth)
    for row in records:
        task = tasks.get(row.transition.task)
        if task is None:
            raise UsageError(f"{path}: no task given for {row.transition.task!r}")
        missing = [
            s.name
            for s in task.subgoals
            if s.name not in row.truth and s.name in known[row.transition.task]
        ]
        if missing:
            raise UsageError(
                f"{path}: column truth: step {row.transition.step} of episode"
                f" {row.transition.episode!r} does not say {', '.join(missing)}"
            )
    used = {row.transition.task for row in records}
    described = {name: task_dict(tasks[name]) for name in sorted(used)}
    write_rows(path, "transitions", TRANSITIONS, map(transition_row, records), {"tasks": described})


def read_transitions(path: str | Path) -> Transitions:
    """Reads a file of transitions.

    Raises:
        UsageError: no such file, too large, not parquet, a column missing or of another type,
            a value that cannot be, a row whose id is not the hash of its content.
    """
    path = Path(path)
    rows: list[LabelledTransition] = []
    with opened(path, "transitions", TRANSITIONS) as (file, metadata):
        for batch, first in batches(path, file, TRANSITIONS):
            rows += records_of(path, batch, first, transition_of)
    tasks = _tasks(path, metadata)
    check_names(path, set().union(*(row.truth for row in rows)))
    for row in rows:
        if row.transition.task not in tasks:
            raise UsageError(f"{path}: column task: {row.transition.task!r} is not described")
    return Transitions(rows, tasks)


def count_rows(path: str | Path) -> int:
    """Returns the number of rows of a file of transitions; errors are those of `read_outline`."""
    path = Path(path)
    with opened(path, "transitions", TRANSITIONS) as (file, _):
        return int(file.metadata.num_rows)


def read_outline(path: str | Path) -> tuple[dict[str, Task], dict[str, int]]:
    """Returns the tasks of a file of transitions, and how many rows are of each.

    Raises:
        UsageError: as `read_transitions`, as far as that is told without reading the rows.
    """
    path = Path(path)
    with opened(path, "transitions", TRANSITIONS) as (file, metadata):
        tasks = _tasks(path, metadata)
        counts = dict.fromkeys(tasks, 0)
        for batch in file.iter_batches(parquet_file.BATCH_ROWS, columns=["task"]):
            for entry in batch.column(0).value_counts().to_pylist():
                if entry["values"] not in counts:
                    raise UsageError(f"{path}: column task: {entry['values']!r} is not described")
                counts[entry["values"]] += entry["counts"]
    return tasks, counts


def iterate_transitions(
    path: str | Path, task: str, first: int = 0, last: int | None = None
) -> Iterator[list[LabelledTransition]]:
    """Yields the rows of one task without their screens, in blocks of which one is in memory.

    Args:
        task: its id, as in the file.
        first, last: of the task's rows, those with numbers in [first, last); None for all.

    Raises:
        UsageError: as `read_transitions`.
    """
    path = Path(path)
    words = _without_screens()
    none = dict.fromkeys(_SCREENS)
    block: list[LabelledTransition] = []
    number = 0
    with opened(path, "transitions", TRANSITIONS) as (file, _):
        for batch, row in batches(path, file, words):
            mine = batch.filter(pc.equal(batch.column("task"), task))
            begin = max(0, first - number)
            end = len(mine) if last is None else max(0, min(len(mine), last - number))
            number += len(mine)
            if begin >= end:
                continue
            block += records_of(
                path,
                mine.slice(begin, end - begin),
                row,
                lambda value: transition_of({**value, **none}),
            )
            while len(block) >= parquet_file.BATCH_ROWS:
                check_names(path, set().union(*(one.truth for one in block)))
                yield block[: parquet_file.BATCH_ROWS]
                block = block[parquet_file.BATCH_ROWS :]
    if block:
        check_names(path, set().union(*(one.truth for one in block)))
        yield block


def iterate_rows(
    path: Path, numbers: npt.NDArray[np.int32], screens: bool = False
) -> Iterator[LabelledTransition]:
    """Yields some rows of a file of transitions, of which a block is in memory.

    Args:
        numbers: of the rows in the file, from 0, each higher than the one before.
        screens: whether to read them too.

    Raises:
        UsageError: as `read_transitions`.
    """
    schema = TRANSITIONS if screens else _without_screens()
    none = {} if screens else dict.fromkeys(_SCREENS)
    with opened(path, "transitions", TRANSITIONS) as (file, _):
        for batch, first in batches_with(path, file, schema, numbers):
            rows = records_of(path, batch, first, lambda value: transition_of({**value, **none}))
            check_names(path, set().union(*(row.truth for row in rows)))
            yield from rows


def iterate_outlines(
    path: Path, numbers: npt.NDArray[np.int32]
) -> Iterator[tuple[str, str, dict[str, bool]]]:
    """Yields id, task and truth of some rows of a file of transitions; texts are not read.

    Args and errors are those of `iterate_rows`; ids are taken as they stand.
    """
    schema = pa.schema([TRANSITIONS.field(name) for name in ("id", "task", "truth")])
    with opened(path, "transitions", TRANSITIONS) as (file, _):
        for batch, _first in batches_with(path, file, schema, numbers):
            ids, tasks = batch.column(0).to_pylist(), batch.column(1).to_pylist()
            truths = batch.column(2).to_pylist(maps_as_pydicts="strict")
            check_names(path, set().union(*truths))
            yield from zip(ids, tasks, truths, strict=True)


def _without_screens() -> pa.Schema:
    return pa.schema([field for field in TRANSITIONS if field.name not in _SCREENS])


def _tasks(path: Path, metadata: Mapping[str, str]) -> dict[str, Task]:
    try:
        tasks = {name: task_of(value) for name, value in json.loads(metadata["tasks"]).items()}
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: its metadata does not describe the tasks ({error!r})") from error
    check_names(path, (*tasks, *(task.id for task in tasks.values()), *names_of(tasks)))
    return tasks


def write_labels(path: str | Path, rows: Iterable[Label]) -> None:
    """Writes people's labels, one a row."""
    write_rows(path, "labels", LABELS, map(label_row, rows))


def read_labels(path: str | Path) -> list[Label]:
    """Reads people's labels; UsageError as `read_transitions`."""
    return read_rows(path, "labels", LABELS, label_of)


def task_dict(task: Task) -> dict[str, Any]:
    """Returns a task as plain values, for JSON."""
    statements = {s.name: list(s.statements) for s in task.subgoals if s.statements}
    times = {s.name: s.times for s in task.subgoals if s.times > 1}
    return {
        "goal": task.goal,
        "subgoals": [[s.name, s.definition] for s in task.subgoals],
        "actions": list(task.actions),
        "legend": task.legend,
        "id": task.id,
        # Left out where there are none, so that tasks of before read and compare as they did.
        **({"statements": statements} if statements else {}),
        **({"times": times} if times else {}),
    }


def task_of(value: Mapping[str, Any]) -> Task:
    """Returns the task that `task_dict` made plain."""
    return Task(
        value["id"],
        value["goal"],
        tuple(
            Subgoal(
                name,
                definition,
                tuple(value.get("statements", {}).get(name, ())),
                value.get("times", {}).get(name, 1),
            )
            for name, definition in value["subgoals"]
        ),
        tuple(value["actions"]),
        value["legend"],
    )


def names_of(tasks: Mapping[str, Task]) -> Sequence[str]:
    """Returns the names of all subgoals that the tasks ask about, in order, each once."""
    return list(dict.fromkeys(s.name for task in tasks.values() for s in task.subgoals))

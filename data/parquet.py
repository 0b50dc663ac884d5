"""Reads and writes the three tables as parquet, and refuses files that are not what they claim.

A file of transitions carries its tasks (goal, subgoals with their definitions, actions, legend) in
its metadata, so one file is all a judge needs. Files come from strangers: sizes are limited before
anything is unpacked, and every error names the file and the column.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from calm.errors import CalmError, UsageError
from calm.files import write_file, written_file
from calm.records import LabelledTransition, Subgoal, Task
from data.schema import (
    JUDGEMENTS,
    LABELS,
    OPTIONAL,
    SCHEMA_VERSION,
    TRANSITIONS,
    JudgedTransition,
    Label,
    judgement_of,
    judgement_row,
    label_of,
    label_row,
    transition_of,
    transition_row,
)

MAX_FILE_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 8 << 30
MAX_ROWS = 5_000_000
MAX_CELL_BYTES = 1 << 20
"""A text longer than this is no description of one step."""

_BATCH_ROWS = 4096
_GROUP_ROWS = 1 << 16
"""Rows of judgements that are compressed together."""
_COMPRESSION = 12
_SCREENS = ("before_chars", "before_colours", "after_chars", "after_colours")
"""Columns that people look at and no judge reads."""

Row = TypeVar("Row")


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
    _write(path, "transitions", TRANSITIONS, map(transition_row, records), {"tasks": described})


def read_transitions(path: str | Path) -> Transitions:
    """Reads a file of transitions.

    Raises:
        UsageError: no such file, too large, not parquet, a column missing or of another type,
            a value that cannot be, a row whose id is not the hash of its content.
    """
    path = Path(path)
    rows: list[LabelledTransition] = []
    with _opened(path, "transitions", TRANSITIONS) as (file, metadata):
        for batch, first in _batches(path, file, TRANSITIONS):
            rows += _records(path, batch, first, transition_of)
    tasks = _tasks(path, metadata)
    _check_names(path, set().union(*(row.truth for row in rows)))
    for row in rows:
        if row.transition.task not in tasks:
            raise UsageError(f"{path}: column task: {row.transition.task!r} is not described")
    return Transitions(rows, tasks)


def count_rows(path: str | Path) -> int:
    """Returns the number of rows of a file of transitions; errors are those of `read_outline`."""
    path = Path(path)
    with _opened(path, "transitions", TRANSITIONS) as (file, _):
        return int(file.metadata.num_rows)


def read_outline(path: str | Path) -> tuple[dict[str, Task], dict[str, int]]:
    """Returns the tasks of a file of transitions, and how many rows are of each.

    Raises:
        UsageError: as `read_transitions`, as far as that is told without reading the rows.
    """
    path = Path(path)
    with _opened(path, "transitions", TRANSITIONS) as (file, metadata):
        tasks = _tasks(path, metadata)
        counts = dict.fromkeys(tasks, 0)
        for batch in file.iter_batches(_BATCH_ROWS, columns=["task"]):
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
    with _opened(path, "transitions", TRANSITIONS) as (file, _):
        for batch, row in _batches(path, file, words):
            mine = batch.filter(pc.equal(batch.column("task"), task))
            begin = max(0, first - number)
            end = len(mine) if last is None else max(0, min(len(mine), last - number))
            number += len(mine)
            if begin >= end:
                continue
            block += _records(
                path,
                mine.slice(begin, end - begin),
                row,
                lambda value: transition_of({**value, **none}),
            )
            while len(block) >= _BATCH_ROWS:
                _check_names(path, set().union(*(one.truth for one in block)))
                yield block[:_BATCH_ROWS]
                block = block[_BATCH_ROWS:]
    if block:
        _check_names(path, set().union(*(one.truth for one in block)))
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
    with _opened(path, "transitions", TRANSITIONS) as (file, _):
        for batch, first in _batches_with(path, file, schema, numbers):
            rows = _records(path, batch, first, lambda value: transition_of({**value, **none}))
            _check_names(path, set().union(*(row.truth for row in rows)))
            yield from rows


def iterate_outlines(
    path: Path, numbers: npt.NDArray[np.int32]
) -> Iterator[tuple[str, str, dict[str, bool]]]:
    """Yields id, task and truth of some rows of a file of transitions; texts are not read.

    Args and errors are those of `iterate_rows`; ids are taken as they stand.
    """
    schema = pa.schema([TRANSITIONS.field(name) for name in ("id", "task", "truth")])
    with _opened(path, "transitions", TRANSITIONS) as (file, _):
        for batch, _first in _batches_with(path, file, schema, numbers):
            ids, tasks = batch.column(0).to_pylist(), batch.column(1).to_pylist()
            truths = batch.column(2).to_pylist(maps_as_pydicts="strict")
            _check_names(path, set().union(*truths))
            yield from zip(ids, tasks, truths, strict=True)


def _batches_with(
    path: Path, file: pq.ParquetFile, schema: pa.Schema, numbers: npt.NDArray[np.int32]
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yields the rows of some numbers in batches, each with the number of its first row.

    Groups of rows that hold none of them are not read.
    """
    begin = 0
    for group in range(file.metadata.num_row_groups):
        end = begin + file.metadata.row_group(group).num_rows
        if np.searchsorted(numbers, begin) < np.searchsorted(numbers, end):
            for batch, first in _batches(path, file, schema, begin, [group]):
                low, high = np.searchsorted(numbers, [first, first + len(batch)])
                if high - low == len(batch):
                    yield batch, first
                elif low < high:
                    yield batch.take(pa.array(numbers[low:high] - first)), int(numbers[low])
        begin = end


def _without_screens() -> pa.Schema:
    return pa.schema([field for field in TRANSITIONS if field.name not in _SCREENS])


def _tasks(path: Path, metadata: Mapping[str, str]) -> dict[str, Task]:
    try:
        tasks = {name: task_of(value) for name, value in json.loads(metadata["tasks"]).items()}
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: its metadata does not describe the tasks ({error!r})") from error
    _check_names(path, (*tasks, *(task.id for task in tasks.values()), *names_of(tasks)))
    return tasks


def _check_names(path: Path, names: Iterable[str]) -> None:
    for name in names:
        if not str(name).isprintable():  # a terminal would obey it
            raise UsageError(f"{path}: the name {name!r} holds control characters")


def write_judgements(path: str | Path, rows: Iterable[JudgedTransition]) -> None:
    """Writes judges' answers, one a row."""
    with judgement_writer(path) as write:
        write(rows)


@contextmanager
def judgement_writer(path: str | Path) -> Iterator[Callable[[Iterable[JudgedTransition]], None]]:
    """Yields what adds judges' answers to a table, which is in its place when all are written.

    The same rows give the same bytes, in however many portions they come.

    Raises:
        UsageError, CalmError: as `write_file`.
    """
    path = Path(path)
    with written_file(path) as partial, _judgement_table(path, partial) as write:
        yield write


@contextmanager
def _judgement_table(
    path: Path, where: Path | IO[bytes], compression: int = _COMPRESSION, group_rows: int = 0
) -> Iterator[Callable[[Iterable[JudgedTransition]], None]]:
    """Yields what adds answers to a table.

    Args:
        path: of the table, for errors.
        where: to write it.
        compression: level of it.
        group_rows: rows that are compressed together; 0 for as many as in a file to keep.
    """
    schema = JUDGEMENTS.with_metadata(_metadata("judgements"))
    size = group_rows or _GROUP_ROWS
    waiting: list[pa.Table] = []
    """Portions that together are less than a group."""
    groups = 0
    with pq.ParquetWriter(
        where, schema, compression="zstd", compression_level=compression
    ) as writer:

        def flush(everything: bool) -> None:
            nonlocal waiting, groups
            table = pa.concat_tables(waiting) if waiting else _table(path, "judgements", [], schema)
            while len(table) >= size or (everything and (len(table) or not groups)):
                groups += 1
                writer.write_table(table.slice(0, size).combine_chunks())
                table = table.slice(size)
            waiting = [table.combine_chunks()] if len(table) else []

        def write(rows: Iterable[JudgedTransition]) -> None:
            remaining: Iterator[Mapping[str, Any]] = map(judgement_row, rows)
            while portion := list(islice(remaining, _BATCH_ROWS)):
                waiting.append(_table(path, "judgements", portion, schema))
                if sum(map(len, waiting)) >= size:
                    flush(everything=False)

        yield write
        flush(everything=True)


class JudgementSpool:
    """Answers in a file without a name, which is gone with this object, or with the process.

    It is in the system's folder for temporary files.

    Args:
        judged: the answers.

    Raises:
        CalmError: the file can't be written.
    """

    def __init__(self, judged: Iterable[JudgedTransition]) -> None:
        self._place = Path(tempfile.gettempdir())
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object
            weakref.finalize(self, self._file.close)
            size = _BATCH_ROWS
            with _judgement_table(self._place, self._file, compression=1, group_rows=size) as write:
                write(judged)
            self._file.flush()
        except OSError as error:
            raise CalmError(
                f"answers can't be kept in a temporary file in {self._place}: {error}"
            ) from None

    def __call__(self, numbers: npt.NDArray[np.int32]) -> Iterator[JudgedTransition]:
        """Yields the answers of some numbers, each higher than the one before."""
        with pq.ParquetFile(pa.PythonFile(_FromStart(self._file), "r")) as table:
            for batch, first in _batches_with(self._place, table, JUDGEMENTS, numbers):
                yield from _records(self._place, batch, first, judgement_of)


class _FromStart(io.RawIOBase):
    """An open file with a place of its own, so that several may read it at once.

    Args:
        file: with a descriptor.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._place = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._file.fileno(), [buffer], self._place)
        self._place += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        size = os.fstat(self._file.fileno()).st_size
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: size}[whence]
        return self._place

    def tell(self) -> int:
        return self._place


def read_judgements(path: str | Path) -> list[JudgedTransition]:
    """Reads judges' answers; UsageError as `read_transitions`."""
    return _read(path, "judgements", JUDGEMENTS, judgement_of)[0]


def write_labels(path: str | Path, rows: Iterable[Label]) -> None:
    """Writes people's labels, one a row."""
    _write(path, "labels", LABELS, map(label_row, rows))


def read_labels(path: str | Path) -> list[Label]:
    """Reads people's labels; UsageError as `read_transitions`."""
    return _read(path, "labels", LABELS, label_of)[0]


def task_dict(task: Task) -> dict[str, Any]:
    """Returns a task as plain values, for JSON."""
    statements = {s.name: list(s.statements) for s in task.subgoals if s.statements}
    return {
        "goal": task.goal,
        "subgoals": [[s.name, s.definition] for s in task.subgoals],
        "actions": list(task.actions),
        "legend": task.legend,
        "id": task.id,
        # Left out where nobody wrote any, so that tasks of before read and compare as they did.
        **({"statements": statements} if statements else {}),
    }


def task_of(value: Mapping[str, Any]) -> Task:
    """Returns the task that `task_dict` made plain."""
    return Task(
        value["id"],
        value["goal"],
        tuple(
            Subgoal(name, definition, tuple(value.get("statements", {}).get(name, ())))
            for name, definition in value["subgoals"]
        ),
        tuple(value["actions"]),
        value["legend"],
    )


def _write(
    path: str | Path,
    table: str,
    schema: pa.Schema,
    rows: Iterable[Mapping[str, Any]],
    metadata: Mapping[str, object] | None = None,
) -> None:
    """Writes the rows as one table with its name, schema version and `metadata`."""
    path = Path(path)
    content = _table(path, table, list(rows), schema.with_metadata(_metadata(table, metadata)))
    write_file(
        path,
        lambda partial: pq.write_table(
            content, partial, compression="zstd", compression_level=_COMPRESSION
        ),
    )


def _metadata(table: str, more: Mapping[str, object] | None = None) -> dict[str, str]:
    described = {"calm.table": table, "calm.schema": SCHEMA_VERSION}
    return described | {
        f"calm.{k}": json.dumps(v, ensure_ascii=False) for k, v in (more or {}).items()
    }


def _table(path: Path, table: str, rows: list[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except pa.ArrowException as error:
        raise UsageError(f"{path}: cannot write the {table} table: {error}") from error


def _read(
    path: str | Path, table: str, schema: pa.Schema, record: Callable[[Mapping[str, Any]], Row]
) -> tuple[list[Row], dict[str, str]]:
    path = Path(path)
    rows: list[Row] = []
    with _opened(path, table, schema) as (file, metadata):
        for batch, first in _batches(path, file, schema):
            rows += _records(path, batch, first, record)
    return rows, metadata


@contextmanager
def _opened(
    path: Path, table: str, schema: pa.Schema
) -> Iterator[tuple[pq.ParquetFile, dict[str, str]]]:
    """Yields a file and its metadata, once both are checked; UsageError where it can't be read."""
    if not path.is_file():
        raise UsageError(f"{path}: no such file; expected a parquet file of {table}")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UsageError(
            f"{path}: {path.stat().st_size:,} bytes, more than the {MAX_FILE_BYTES:,} allowed"
        )
    try:
        with pq.ParquetFile(path) as file:
            yield file, _checked(path, table, schema, file)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path}: cannot be read as parquet: {error}") from error


def _batches(
    path: Path,
    file: pq.ParquetFile,
    schema: pa.Schema,
    first: int = 0,
    groups: Sequence[int] | None = None,
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yields a file's rows in batches of checked cells, each with its first row's number.

    Args:
        first: number of the first row that is read.
        groups: of rows, to be read alone.
    """
    there = pa.schema([f for f in schema if f.name in file.schema_arrow.names])
    for batch in file.iter_batches(_BATCH_ROWS, row_groups=groups, columns=there.names):
        _check_cells(path, batch, there, first)
        yield batch, first
        first += len(batch)


def _records(
    path: Path, batch: pa.RecordBatch, first: int, record: Callable[[Mapping[str, Any]], Row]
) -> list[Row]:
    rows: list[Row] = []
    for value in batch.to_pylist(maps_as_pydicts="strict"):
        try:
            rows.append(record(value))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path}: row {first + len(rows)}: {error}") from error
    return rows


def _checked(path: Path, table: str, schema: pa.Schema, file: pq.ParquetFile) -> dict[str, str]:
    """Returns a file's metadata under its plain names, once sizes and columns are checked."""
    info = file.metadata
    unpacked = sum(info.row_group(i).total_byte_size for i in range(info.num_row_groups))
    if info.num_rows > MAX_ROWS or unpacked > MAX_UNPACKED_BYTES:
        raise UsageError(
            f"{path}: {info.num_rows:,} rows, {unpacked:,} bytes unpacked; at most"
            f" {MAX_ROWS:,} rows and {MAX_UNPACKED_BYTES:,} bytes are read"
        )
    columns = file.schema_arrow
    metadata = {
        key.decode().removeprefix("calm."): value.decode()
        for key, value in (columns.metadata or {}).items()
        if key.startswith(b"calm.")
    }
    table_name = metadata.get("table", table)
    if table_name != table:
        raise UsageError(f"{path}: a table of {table_name}, expected {table}")
    if metadata.get("schema", SCHEMA_VERSION) != SCHEMA_VERSION:
        raise UsageError(
            f"{path}: schema version {metadata['schema']}, this release reads {SCHEMA_VERSION}"
        )
    for expected in schema:
        position = columns.get_field_index(expected.name)
        if position < 0 and expected.name in OPTIONAL:
            continue
        if position < 0:
            raise UsageError(
                f"{path}: column {expected.name} is missing; has {', '.join(columns.names)}"
            )
        if not _alike(columns.field(position).type, expected.type):
            raise UsageError(
                f"{path}: column {expected.name} is {columns.field(position).type},"
                f" expected {expected.type}"
            )
    return metadata


def _alike(actual: pa.DataType, expected: pa.DataType) -> bool:
    """Returns whether types are the same; string and large_string count as one."""
    if pa.types.is_large_string(expected) or pa.types.is_string(expected):
        return bool(pa.types.is_large_string(actual) or pa.types.is_string(actual))
    if pa.types.is_list(expected):
        return bool(pa.types.is_list(actual)) and _alike(actual.value_type, expected.value_type)
    if pa.types.is_map(expected):
        return bool(pa.types.is_map(actual)) and _alike(actual.item_type, expected.item_type)
    return bool(actual.equals(expected))


def _check_cells(path: Path, batch: pa.RecordBatch, schema: pa.Schema, first_row: int) -> None:
    """Refuses an empty cell where there must be a value, and a text too long, with UsageError."""
    for name in schema.names:
        column = batch.column(name)
        if column.null_count and not schema.field(name).nullable:
            row = first_row + pc.index(column.is_null(), True).as_py()
            raise UsageError(f"{path}: column {name}, row {row}: empty, expected a value")
        if pa.types.is_large_string(column.type) or pa.types.is_string(column.type):
            longest = pc.max(pc.binary_length(column)).as_py() or 0
            if longest > MAX_CELL_BYTES:
                raise UsageError(
                    f"{path}: column {name}: a text of {longest:,} bytes,"
                    f" more than the {MAX_CELL_BYTES:,} allowed"
                )


def names_of(tasks: Mapping[str, Task]) -> Sequence[str]:
    """Returns the names of all subgoals that the tasks ask about, in order, each once."""
    return list(dict.fromkeys(s.name for task in tasks.values() for s in task.subgoals))

"""Opens parquet files that come from strangers, and writes tables that say what they are.

Sizes are limited before anything is unpacked, a file that is not what it claims is refused, and
every error names the file and the column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from calm.errors import UsageError
from calm.files import write_file
from data.schema import OPTIONAL, SCHEMA_VERSION

MAX_FILE_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 8 << 30
MAX_ROWS = 5_000_000
MAX_CELL_BYTES = 1 << 20
"""A text longer than this is no description of one step."""

BATCH_ROWS = 4096
"""Rows that are read, or made to a table, at once."""
COMPRESSION = 12
"""Level of zstd in files to keep."""

Row = TypeVar("Row")


def read_whole(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Returns the table in a file of our own, whole even while another process replaces it.

    `pyarrow.parquet.read_table` opens a file twice, and may find two versions of it.

    Args:
        path: of the file.
        columns: to read alone; all by default.

    Raises:
        OSError, pa.ArrowException: it can't be read.
    """
    with pq.ParquetFile(path) as file:
        return file.read(columns=columns)


@contextmanager
def opened(
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


def batches(
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
    for batch in file.iter_batches(BATCH_ROWS, row_groups=groups, columns=there.names):
        _check_cells(path, batch, there, first)
        yield batch, first
        first += len(batch)


def batches_with(
    path: Path, file: pq.ParquetFile, schema: pa.Schema, numbers: npt.NDArray[np.int32]
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yields the rows of some numbers in batches, each with the number of its first row.

    Groups of rows that hold none of them are not read.
    """
    begin = 0
    for group in range(file.metadata.num_row_groups):
        end = begin + file.metadata.row_group(group).num_rows
        if np.searchsorted(numbers, begin) < np.searchsorted(numbers, end):
            for batch, first in batches(path, file, schema, begin, [group]):
                low, high = np.searchsorted(numbers, [first, first + len(batch)])
                if high - low == len(batch):
                    yield batch, first
                elif low < high:
                    yield batch.take(pa.array(numbers[low:high] - first)), int(numbers[low])
        begin = end


def records_of(
    path: Path, batch: pa.RecordBatch, first: int, record: Callable[[Mapping[str, Any]], Row]
) -> list[Row]:
    """Returns what `record` makes of each row of a batch.

    Args:
        first: number of the batch's first row, for errors.

    Raises:
        UsageError: a value that cannot be.
    """
    rows: list[Row] = []
    for value in batch.to_pylist(maps_as_pydicts="strict"):
        try:
            rows.append(record(value))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path}: row {first + len(rows)}: {error}") from error
    return rows


def read_rows(
    path: str | Path, table: str, schema: pa.Schema, record: Callable[[Mapping[str, Any]], Row]
) -> list[Row]:
    """Returns what `record` makes of each row of a file.

    Raises:
        UsageError: no such file, too large, not parquet, a column missing or of another type,
            a value that cannot be.
    """
    path = Path(path)
    rows: list[Row] = []
    with opened(path, table, schema) as (file, _):
        for batch, first in batches(path, file, schema):
            rows += records_of(path, batch, first, record)
    return rows


def check_names(path: Path, names: Iterable[str]) -> None:
    """Refuses a file whose names hold control characters, with UsageError."""
    for name in names:
        if not str(name).isprintable():  # a terminal would obey it
            raise UsageError(f"{path}: the name {name!r} holds control characters")


def write_rows(
    path: str | Path,
    table: str,
    schema: pa.Schema,
    rows: Iterable[Mapping[str, Any]],
    metadata: Mapping[str, object] | None = None,
) -> None:
    """Writes the rows as one table with its name, schema version and `metadata`."""
    path = Path(path)
    content = table_of(path, table, list(rows), schema.with_metadata(metadata_of(table, metadata)))
    write_file(
        path,
        lambda partial: pq.write_table(
            content, partial, compression="zstd", compression_level=COMPRESSION
        ),
    )


def table_of(path: Path, table: str, rows: list[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Returns rows as an Arrow table; UsageError for a value that its column cannot hold."""
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except pa.ArrowException as error:
        raise UsageError(f"{path}: cannot write the {table} table: {error}") from error


def metadata_of(table: str, more: Mapping[str, object] | None = None) -> dict[str, str]:
    """Returns what a file says of itself: its table, its schema version, and `more` as JSON."""
    described = {"calm.table": table, "calm.schema": SCHEMA_VERSION}
    return described | {
        f"calm.{k}": json.dumps(v, ensure_ascii=False) for k, v in (more or {}).items()
    }


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

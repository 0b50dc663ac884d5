"""Reads and writes the table of judges' answers, in portions of which one is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from calm.files import written_file
from data import parquet_file
from data.parquet_file import COMPRESSION, metadata_of, read_rows, table_of
from data.schema import JUDGEMENTS, JudgedTransition, judgement_of, judgement_row

GROUP_ROWS = 1 << 16
"""Rows of answers that are compressed together."""


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
    with written_file(path) as partial, judgement_table(path, partial) as write:
        yield write


def read_judgements(path: str | Path) -> list[JudgedTransition]:
    """Returns judges' answers; UsageError as `read_rows`."""
    return read_rows(path, "judgements", JUDGEMENTS, judgement_of)


@contextmanager
def judgement_table(
    path: Path, where: Path | IO[bytes], compression: int = COMPRESSION, group_rows: int = 0
) -> Iterator[Callable[[Iterable[JudgedTransition]], None]]:
    """Yields what adds answers to a table.

    Args:
        path: of the table, for errors.
        where: to write it.
        compression: level of it.
        group_rows: rows that are compressed together; 0 for as many as in a file to keep.
    """
    schema = JUDGEMENTS.with_metadata(metadata_of("judgements"))
    size = group_rows or GROUP_ROWS
    waiting: list[pa.Table] = []
    """Portions that together are less than a group."""
    groups = 0
    with pq.ParquetWriter(
        where, schema, compression="zstd", compression_level=compression
    ) as writer:

        def flush(everything: bool) -> None:
            nonlocal waiting, groups
            table = (
                pa.concat_tables(waiting) if waiting else table_of(path, "judgements", [], schema)
            )
            while len(table) >= size or (everything and (len(table) or not groups)):
                groups += 1
                writer.write_table(table.slice(0, size).combine_chunks())
                table = table.slice(size)
            waiting = [table.combine_chunks()] if len(table) else []

        def write(rows: Iterable[JudgedTransition]) -> None:
            remaining: Iterator[Mapping[str, Any]] = map(judgement_row, rows)
            while portion := list(islice(remaining, parquet_file.BATCH_ROWS)):
                waiting.append(table_of(path, "judgements", portion, schema))
                if sum(map(len, waiting)) >= size:
                    flush(everything=False)

        yield write
        flush(everything=True)

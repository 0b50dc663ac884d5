"""Answers that memory need not hold: in a temporary file, read back by their numbers."""

from __future__ import annotations

import io
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from calm.errors import CalmError
from data import parquet_file
from data.judgements import judgement_table
from data.parquet_file import batches_with, records_of
from data.schema import JUDGEMENTS, JudgedTransition, judgement_of


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
            size = parquet_file.BATCH_ROWS
            with judgement_table(self._place, self._file, compression=1, group_rows=size) as write:
                write(judged)
            self._file.flush()
        except OSError as error:
            raise CalmError(
                f"answers can't be kept in a temporary file in {self._place}: {error}"
            ) from None

    def __call__(self, numbers: npt.NDArray[np.int32]) -> Iterator[JudgedTransition]:
        """Yields the answers of some numbers, each higher than the one before."""
        with pq.ParquetFile(pa.PythonFile(_FromStart(self._file), "r")) as table:
            for batch, first in batches_with(self._place, table, JUDGEMENTS, numbers):
                yield from records_of(self._place, batch, first, judgement_of)


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

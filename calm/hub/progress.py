"""Tells how far a download is, whoever writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

Progress = Callable[[str, int, int], None]
"""Called with what is fetched, how many bytes of it are here, and how many there will be."""


class WatchedFile:
    """A file to write to that tells of every block; what huggingface_hub needs of one, no more.

    Args:
        done, total: bytes that are there, and that will be.
    """

    def __init__(self, file: BinaryIO, done: int, total: int, progress: Progress) -> None:
        self.file = file
        self.done = done
        self.total = total
        self.progress = progress

    def write(self, block: bytes) -> int:
        """Appends a block."""
        self.file.write(block)
        self.done += len(block)
        self.progress("download", self.done, self.total)
        return len(block)

    def tell(self) -> int:
        """Returns how many bytes are there."""
        return self.done

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves to a place; the hub's client only goes to the beginning, where it can't resume."""
        self.file.seek(offset, whence)
        self.done = offset
        return offset

    def truncate(self) -> int:
        """Drops what is behind the place sought."""
        return self.file.truncate(self.done)

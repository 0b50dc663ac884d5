"""Carries a run's folder between machines that share none: as the files that have changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from agents.training.run import lock, status
from calm.errors import CalmError
from calm.files import write_file

Files = dict[str, bytes]
"""Content by path within the folder."""
LAST = "checkpoint.pt"
"""Written after the others: training resumes from it, and then needs what belongs to it."""

OF_A_PROCESS = (lock.FILE, status.FILE)
"""Files about the process that trains the run, which don't travel."""


class ChangedFiles:
    """The files of a folder that have changed since they were last taken.

    Args:
        folder: of a run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamps: dict[str, tuple[int, int]] = {}

    def take(self) -> Files:
        """Returns the files that are new or have changed since the last call."""
        files = {}
        for path in sorted(self._folder.rglob("*")):
            name = str(path.relative_to(self._folder))
            if path.name in OF_A_PROCESS or path.name.startswith(".") or not path.is_file():
                continue
            there = path.stat()
            stamp = (there.st_mtime_ns, there.st_size)
            if self._stamps.get(name) != stamp:
                files[name] = path.read_bytes()
                self._stamps[name] = stamp
        return files

    def put_back(self, files: Iterable[str]) -> None:
        """Counts files as changed again, which were taken and have not arrived."""
        for name in files:
            self._stamps.pop(name, None)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into a folder, each whole, the checkpoint last.

    Raises:
        CalmError: a name leads out of the folder, or a file can't be written.
    """
    for name in sorted(files, key=lambda n: (n == LAST, n)):
        path = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise CalmError(f"a worker sent a file for {name!r}, which is outside {folder}")
        write_file(path, files[name])

"""A cell's status as a file in its folder, for those who see the folder and not its process."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

from agents.training.callback import TrainingStatus
from calm.errors import CalmError
from calm.files import write_file

FILE = "status.json"


def write_status(folder: Path, status: TrainingStatus) -> None:
    """Replaces the status in a folder; one that can't be written is left out."""
    with contextlib.suppress(CalmError, OSError):
        write_file(folder / FILE, json.dumps(asdict(status)))


def read_status(folder: Path) -> TrainingStatus | None:
    """Returns the status in a folder; None where there is none, or it can't be read."""
    try:
        return TrainingStatus(**json.loads((folder / FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def remove_status(folder: Path) -> None:
    """Removes the status of a cell that is not trained any more."""
    with contextlib.suppress(OSError):
        (folder / FILE).unlink(missing_ok=True)


class StatusReader:
    """Reads the statuses of many folders, each a few seconds after the last time.

    Args:
        seconds: between two readings.
    """

    def __init__(self, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._next = 0.0
        self._last: dict[int, TrainingStatus] = {}

    def changed(self, folders: dict[int, Path], now: float) -> list[tuple[int, TrainingStatus]]:
        """Returns the statuses that are others than at the last reading, by their folder's key.

        Args:
            folders: of the cells that are trained elsewhere.
            now: the monotonic clock, seconds.
        """
        if now < self._next:
            return []
        self._next = now + self._seconds
        changed = []
        for i, folder in folders.items():
            status = read_status(folder)
            if status is not None and status != self._last.get(i):
                self._last[i] = status
                changed.append((i, status))
        return changed

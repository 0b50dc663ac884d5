"""How far a run is, and the same as a file in its folder, for who sees that and not its process."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from calm.errors import CalmError
from calm.files import write_file

FILE = "status.json"
WRITE_SECONDS = 2.0
"""Between two writings of a run's status."""


@dataclass(frozen=True)
class TrainingStatus:
    """Steps, rate and success of a training run so far, and its questions to the judge."""

    steps: int
    """Environment steps so far."""
    total: int
    """Environment steps at the end: those of the settings, rounded up to whole rollouts."""
    steps_per_second: float
    """Of collection and update, evaluations not counted."""
    success: float | None
    """At the last evaluation on held-out levels."""
    questions: int
    """Distinct questions put to the judge so far."""
    pending: int = 0
    """Of these, not answered yet."""
    waiting: float = 0.0
    """Seconds that training has been waiting for answers."""
    answered: int = 0
    """Questions that a model has answered while training waits."""
    to_answer: int = 0
    """Of so many; 0 where the judge does not count them."""
    answers_per_second: float = 0.0
    """How fast it does."""
    by_student: int = 0
    """Of the questions, those that a student judge has answered itself."""


def write_status(folder: Path, status: TrainingStatus) -> None:
    """Replaces the status in a folder; one that can't be written is left out."""
    with contextlib.suppress(CalmError, OSError):
        write_file(folder / FILE, json.dumps(asdict(status)))


class StatusWriter:
    """Writes the status of a run that is trained into its folder, every few seconds at most.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._next = 0.0

    def write(self, status: TrainingStatus) -> None:
        """Writes a status, unless the last one is of just now."""
        if (now := time.monotonic()) >= self._next:
            self._next = now + WRITE_SECONDS
            write_status(self._folder, status)


def read_status(folder: Path) -> TrainingStatus | None:
    """Returns the status in a folder; None where there is none, or it can't be read."""
    try:
        return TrainingStatus(**json.loads((folder / FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def remove_status(folder: Path) -> None:
    """Removes the status of a run that is not trained any more."""
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

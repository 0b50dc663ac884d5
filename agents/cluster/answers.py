"""The stored answers that cells read, and how they come to a machine that has no such store.

A judge that replays answers, or subgoals that were once asked for, are read from the study's store.
SQLite's files must not be used on a network's file system, so each attempt works on a copy.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from calm.judges import reads_store
from calm.store.store import Store


def reads_answers(config: TrainConfig) -> bool:
    """Returns whether a cell reads a store."""
    return reads_store(config.judge) or config.subgoals != "given"


def copy_of_answers(runs: Sequence[Run], store: Path) -> bytes | None:
    """Returns the content of a study's store; None where there is none or no cell reads it."""
    if not store.exists() or not any(reads_answers(run.config) for run in runs):
        return None
    with tempfile.TemporaryDirectory(prefix="calm-answers-") as folder:
        path = Path(folder) / "copy.sqlite"
        with Store(store, readonly=True) as opened:
            opened.database.copy_to(path)
        return path.read_bytes()


@contextmanager
def store_of_attempt(answers: bytes | Path | None) -> Iterator[Path]:
    """Yields the path of a store in a folder of this machine, with the answers if there are any.

    Args:
        answers: content of a store, or a file that nobody writes meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix="calm-answers-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "store.sqlite"
        if isinstance(answers, Path):
            shutil.copy(answers, path)
        elif answers is not None:
            path.write_bytes(answers)
        yield path

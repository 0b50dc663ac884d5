"""What runs on a node of a Ray cluster: an attempt at a cell, in a folder of the node's own.

The cell's files come with the task, and go back to the driver through a queue as checkpoints are
written, so that whatever becomes of the node, no more is lost than what came after the last one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from agents.cluster.answers import store_of_attempt
from agents.cluster.cell import CellNeeds, Ending, train_cell
from agents.cluster.folder_files import ChangedFiles, Files, write_files
from agents.training.run.folder import Run
from agents.training.run.status import TrainingStatus


class Message(NamedTuple):
    """What a task tells the driver."""

    attempt: int
    """Number of the attempt; one that is taken for lost may still speak."""
    news: TrainingStatus | Files | str
    """A status, files of the run, or the id of the node on which the attempt begins."""


class Mailbox(Protocol):
    """Where a task puts its messages, such as `ray.util.queue.Queue`; it waits until they are."""

    def put(self, item: Message) -> None:
        """Puts a message."""


class TravellingRun(Run):
    """A run whose files are sent to the driver with every checkpoint.

    Args:
        folder: on this node.
        attempt: its number.
        mailbox: of the driver.
    """

    def __init__(self, folder: Path, attempt: int, mailbox: Mailbox) -> None:
        super().__init__(folder)
        self._attempt, self._mailbox = attempt, mailbox
        self.changed = ChangedFiles(folder)
        self.changed.take()  # the driver has what it sent

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Replaces the checkpoint, and returns when the driver's queue has it."""
        super().save_checkpoint(state)
        files = self.changed.take()
        try:
            self._mailbox.put(Message(self._attempt, files))
        except BaseException:
            self.changed.put_back(files)
            raise


def train_on_node(attempt: int, *rest: Any) -> tuple[Ending, Files]:
    """Tells the driver which node this is, and does what `train_in_task` does."""
    import ray

    mailbox: Mailbox = rest[1]
    mailbox.put(Message(attempt, ray.get_runtime_context().get_node_id()))
    return train_in_task(attempt, *rest)


def train_in_task(
    attempt: int,
    files: Files,
    mailbox: Mailbox,
    needs: CellNeeds,
    expected: Mapping[str, str],
    answers: bytes | None,
    environment: Mapping[str, str],
) -> tuple[Ending, Files]:
    """Trains a cell in a temporary folder and returns how that ended, and the files not yet sent.

    Args:
        attempt: its number, for the messages.
        files: the run's folder so far.
        mailbox: gets the cell's status and files while it is trained.
        answers: content of the study's store, for cells that read it.
        needs, expected: as for `agents.cluster.cell.train_cell`.
        environment: variables that are set first; the process is this cell's own.
    """
    os.environ.update(environment)
    with (
        tempfile.TemporaryDirectory(prefix="calm-cell-", ignore_cleanup_errors=True) as place,
        store_of_attempt(answers) as store,
    ):
        folder = Path(place) / "run"
        folder.mkdir()
        write_files(folder, files)
        run = TravellingRun(folder, attempt, mailbox)

        def report(status: TrainingStatus) -> None:
            mailbox.put(Message(attempt, status))

        ending = train_cell(run, needs, expected, store, report)
        return ending, run.changed.take()

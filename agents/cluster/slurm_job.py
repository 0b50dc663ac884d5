"""What runs in a Slurm job: an attempt at a cell, in its folder on the shared file system.

submitit calls `checkpoint` shortly before the job's time is up or it is preempted, and puts it into
the queue again. The job holds no state of training, only where it is: the run's folder has it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agents.cluster.answers import store_of_attempt
from agents.cluster.cell import CellNeeds, Ending, train_cell
from agents.training.run.folder import Run
from agents.training.run.lock import forget_dead_owner
from agents.training.run.status import TrainingStatus, remove_status
from calm.errors import CalmError
from calm.files import write_file

SUPERSEDED = "a later command has submitted this cell as another job"


@dataclass(frozen=True)
class Submission:
    """Which job of a cell counts, as the run's folder says.

    A command that was killed between handing jobs to Slurm and noting them leaves some that no
    later command knows of; they end when they find another's name in the folder.
    """

    name: str
    """Random."""
    owner: str = ""
    """Address of the owner of questions that the job's judge asks; "" where it asks none."""

    def write(self, folder: Path) -> None:
        """Writes it into a run's folder: from now on no other job counts there."""
        write_file(_submission_file(folder), json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Submission | None:
        """Returns that of a run's folder; None where there is none that can be read."""
        try:
            return cls(**json.loads(_submission_file(folder).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def counts(self, folder: Path) -> bool:
        """Returns whether it is that of the folder."""
        return Submission.read(folder) == self


def _submission_file(folder: Path) -> Path:
    return folder / "submission.json"


@dataclass(frozen=True)
class CellJob:
    """An attempt at a cell, as submitit carries it to a node."""

    folder: Path
    """Of the run; absolute."""
    stop: Path
    """A file; once it is there, the cell saves a checkpoint and ends."""
    needs: CellNeeds
    expected: dict[str, str]
    """Versions of the machine that the study was started on."""
    answers: Path | None
    """Copy of the study's store, for cells that read it."""
    environment: dict[str, str]
    """Variables of the job."""
    submission: Submission

    def __call__(self) -> Ending:
        """Trains the cell and returns how that has ended; at once, if another job counts."""
        if not self.submission.counts(self.folder):
            return Ending("lost", SUPERSEDED)
        os.environ.update(self.environment)
        # Slurm runs a job once at a time, so whoever held the folder on another node is gone.
        forget_dead_owner(self.folder)

        def report(_: TrainingStatus) -> None:
            if self.stop.exists():
                raise KeyboardInterrupt
            if not self.submission.counts(self.folder):
                raise CalmError(SUPERSEDED)

        run = Run(self.folder)
        try:
            with store_of_attempt(self.answers) as store:
                ending = train_cell(run, self.needs, self.expected, store, report)
        finally:
            remove_status(self.folder)
        if not ending.kind and self.submission.counts(self.folder):
            _submission_file(self.folder).unlink(missing_ok=True)
        return ending

    def checkpoint(self) -> Any:
        """Returns this job once more; submitit then ends this process, which saves a checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

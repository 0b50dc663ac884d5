"""What runs in a Slurm job: an attempt at a cell, in its folder on the shared file system.

submitit calls `checkpoint` shortly before the job's time is up or it is preempted, and puts it into
the queue again. The job holds no state of training, only where it is: the run's folder has it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.cluster.answers import store_of_attempt
from agents.cluster.cell import CellNeeds, Ending, train_cell
from agents.training.folder_lock import forget_dead_owner
from agents.training.run_folder import Run
from agents.training.status import TrainingStatus, remove_status


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

    def __call__(self) -> Ending:
        """Trains the cell and returns how that has ended."""
        os.environ.update(self.environment)
        # Slurm runs a job once at a time, so whoever held the folder on another node is gone.
        forget_dead_owner(self.folder)

        def report(_: TrainingStatus) -> None:
            if self.stop.exists():
                raise KeyboardInterrupt

        run = Run(self.folder)
        try:
            with store_of_attempt(self.answers) as store:
                return train_cell(run, self.needs, self.expected, store, report)
        finally:
            remove_status(self.folder)

    def checkpoint(self) -> Any:
        """Returns this job once more; submitit then ends this process, which saves a checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

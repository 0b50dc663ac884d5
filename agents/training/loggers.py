"""Logs a run's figures while it trains: to TensorBoard, and to W&B or Trackio if they are named."""

from __future__ import annotations

import hashlib
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from agents.training.run.folder import Run
from calm.errors import UsageError


def make_logger(run: Run, since: int | None) -> Logger:
    """Returns the logger of a run.

    Args:
        run: whose folder holds TensorBoard's files.
        since: the step from which it resumes; what a killed run logged after it is taken out of
            TensorBoard's curves. None for a run that starts.

    Raises:
        UsageError: Weights & Biases or Trackio is asked for and not installed.
    """
    outputs: list[KVWriter] = []
    if (project := run.config.wandb) is not None:
        outputs.append(TrackerOutput(wandb_run(run, project)))
    if (project := run.config.trackio) is not None:
        outputs.append(TrackerOutput(trackio_run(run, project)))
    board = TensorBoardOutputFormat(str(run.tensorboard))
    if since is not None:
        board.writer.close()
        board.writer = SummaryWriter(str(run.tensorboard), purge_step=since + 1)
    return Logger(str(run.tensorboard), [board, *outputs])


class Tracked(Protocol):
    """A run as a tracker of experiments keeps it."""

    def log(self, numbers: dict[str, Any], step: int) -> None:
        """Keeps the numbers of a step."""

    def finish(self) -> None:
        """Ends the run."""


def wandb_run(run: Run, project: str) -> Tracked:
    """Starts a run in a project of Weights & Biases; a resumed run resumes there too.

    Raises:
        UsageError: wandb is not installed.
    """
    tracked: Tracked = _module("wandb", "Weights & Biases", project).init(
        project=project,
        name=run.config.name,
        id=_id(run),
        resume="allow",
        config=run.config.model_dump(mode="json"),
        dir=str(run.folder),
    )
    return tracked


def trackio_run(run: Run, project: str) -> Tracked:
    """Starts a run in a project of Trackio, on this machine; a resumed run resumes there too.

    Raises:
        UsageError: trackio is not installed.
    """
    tracked: Tracked = _module("trackio", "Trackio", project).init(
        project=project,
        name=f"{run.config.name}-{_id(run)[:6]}",  # runs are told apart by their names there
        resume="allow",
        config=run.config.model_dump(mode="json"),
        embed=False,
    )
    return tracked


def _module(name: str, title: str, project: str) -> Any:
    """Returns a tracker's module."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"logging to the project {project} needs {title}, and {error.name} is not installed;"
            f" `pip install {name}`, or leave the setting {name} out"
        ) from None


def _id(run: Run) -> str:
    """Returns 16 hex digits that name a run by its folder and its start."""
    started = f"{run.folder.resolve()} {run.started_with['started']}"
    return hashlib.sha256(started.encode()).hexdigest()[:16]


class TrackerOutput(KVWriter):
    """Sends figures to a run of a tracker.

    Args:
        tracked: the run there; it is ended when the logger is closed.
    """

    def __init__(self, tracked: Tracked) -> None:
        self.tracked = tracked

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, Any], step: int = 0
    ) -> None:
        """Sends the numbers of one step."""
        del key_excluded
        numbers = {k: v for k, v in key_values.items() if isinstance(v, np.ScalarType)}
        self.tracked.log({k: v for k, v in numbers.items() if not isinstance(v, str)}, step=step)

    def close(self) -> None:
        """Tells the tracker that the run has ended."""
        self.tracked.finish()

"""Logs a run's figures while it trains: to TensorBoard, and to Weights & Biases if it is named."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from agents.training.run_folder import Run
from calm.errors import UsageError


def make_logger(run: Run, since: int | None) -> Logger:
    """Returns the logger of a run.

    Args:
        run: whose folder holds TensorBoard's files.
        since: the step from which it resumes; what a killed run logged after it is taken out of
            TensorBoard's curves. None for a run that starts.

    Raises:
        UsageError: Weights & Biases is asked for and not installed.
    """
    outputs: list[KVWriter] = []
    project = run.config.wandb
    if project is not None:
        outputs.append(WandbOutput(run, project))
    board = TensorBoardOutputFormat(str(run.tensorboard))
    if since is not None:
        board.writer.close()
        board.writer = SummaryWriter(str(run.tensorboard), purge_step=since + 1)
    return Logger(str(run.tensorboard), [board, *outputs])


class WandbOutput(KVWriter):
    """Sends figures to a project of Weights & Biases; a resumed run resumes there too.

    Args:
        run: that is logged.
        project: of Weights & Biases.

    Raises:
        UsageError: wandb is not installed.
    """

    def __init__(self, run: Run, project: str) -> None:
        try:
            import wandb
        except ModuleNotFoundError as error:
            raise UsageError(
                f"logging to the project {project} needs Weights & Biases, and {error.name} is not"
                " installed; `pip install wandb`, or leave the setting wandb out"
            ) from None
        started = f"{run.folder.resolve()} {run.started_with['started']}"
        self.logged = wandb.init(
            project=project,
            name=run.config.name,
            id=hashlib.sha256(started.encode()).hexdigest()[:16],
            resume="allow",
            config=run.config.model_dump(mode="json"),
            dir=str(run.folder),
        )

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, Any], step: int = 0
    ) -> None:
        """Sends the numbers of one step."""
        del key_excluded
        numbers = {k: v for k, v in key_values.items() if isinstance(v, np.ScalarType)}
        self.logged.log({k: v for k, v in numbers.items() if not isinstance(v, str)}, step=step)

    def close(self) -> None:
        """Tells Weights & Biases that the run has ended."""
        self.logged.finish()

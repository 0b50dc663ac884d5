"""A run of 64 steps: an agent that has learned nothing, quickly."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from agents.training.train import train

SMALL = {
    "task": "Room-5x5", "judge": "rules", "steps": 64, "n_envs": 2, "n_steps": 32,
    "eval_every": 64, "eval_episodes": 2, "features_dim": 16,
}  # fmt: skip


def small_run(folder: Path, **others: Any) -> Run:
    """Trains a run in a folder."""
    run = Run.create(folder, TrainConfig(**SMALL | others))
    train(run)
    return run


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("trained") / "run").folder


@pytest.fixture
def run(trained_once: Path, tmp_path: Path) -> Run:
    """A copy of a run that is trained once for all tests."""
    shutil.copytree(trained_once, tmp_path / "run")
    return Run(tmp_path / "run")

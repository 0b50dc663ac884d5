"""TensorBoard's curves are unbroken after a kill; Weights & Biases gets the same numbers."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.config import TrainConfig
from agents.logs import make_logger
from agents.run import Run
from calm.errors import UsageError


def test_what_a_killed_run_logged_after_its_checkpoint_is_gone(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig())
    for since, steps in ((0, (10, 20, 30)), (20, (20, 30, 40))):
        logger = make_logger(run, since)
        for step in steps:
            logger.record("train/loss", step + since)
            logger.dump(step)
        logger.close()
    seen = EventAccumulator(str(run.tensorboard), purge_orphaned_data=True).Reload()
    curve = [(event.step, event.value) for event in seen.Scalars("train/loss")]
    assert curve == [(10, 10.0), (20, 40.0), (30, 50.0), (40, 60.0)]


def test_weights_and_biases_gets_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, Any]] = []
    sent: list[tuple[dict[str, Any], int]] = []
    ended: list[bool] = []

    def init(**settings: Any) -> Any:
        started.append(settings)
        return SimpleNamespace(
            log=lambda numbers, step: sent.append((numbers, step)),
            finish=lambda: ended.append(True),
        )

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    run = Run.create(tmp_path / "run", TrainConfig(wandb="mine", seed=7))
    for since in (0, 20):
        logger = make_logger(run, since)
        logger.record("calm/asked", 3)
        logger.record("note", "words")
        logger.dump(since + 10)
        logger.close()
    assert sent == [({"calm/asked": 3}, 10), ({"calm/asked": 3}, 30)]
    assert ended == [True, True]
    first, second = started
    assert first == second  # the same run there
    assert first["project"] == "mine"
    assert first["config"]["seed"] == 7
    assert first["resume"] == "allow"


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    run = Run.create(tmp_path / "run", TrainConfig(wandb="mine"))
    with pytest.raises(UsageError, match="pip install wandb"):
        make_logger(run, 0)

"""TensorBoard's curves are unbroken after a kill; Weights & Biases gets the same numbers."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from agents.training.loggers import make_logger
from agents.training.run.folder import Run
from agents.training.run.status import TrainingStatus
from agents.training.settings.config import TrainConfig
from agents.training.train import train
from calm.errors import UsageError


@pytest.fixture(autouse=True)
def _files_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of files of one second and process, number 10 would be read before number 9."""
    first = event_file_writer.AtomicCounter(0)
    monkeypatch.setattr(event_file_writer, "_global_uid", first)


@pytest.mark.parametrize("since", [0, 20])
def test_what_a_killed_run_logged_after_its_checkpoint_is_gone(tmp_path: Path, since: int) -> None:
    run = Run.create(tmp_path / "run", TrainConfig())
    for begun, steps in ((None, (0, 10, 20, 30)), (since, (30, 40))):
        logger = make_logger(run, begun)
        for step in steps:
            logger.record("train/loss", step + (begun is not None))
            logger.dump(step)
        logger.close()
    points = [(step, float(step)) for step in (0, 10, 20) if step <= since]
    assert curve(run, "train/loss") == [*points, (30, 31.0), (40, 41.0)]


def test_every_evaluation_is_logged_at_its_own_step(tmp_path: Path) -> None:
    """A real run that is stopped in the rollout after an evaluation, and gone on with."""
    config = TrainConfig(
        task="Room-5x5",
        judge="truth",
        steps=256,
        n_envs=2,
        n_steps=32,
        eval_every=128,
        eval_episodes=2,
        features_dim=16,
    )
    run = Run.create(tmp_path / "run", config)

    def stop(progress: TrainingStatus) -> None:
        if progress.steps == 192:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(run, on_progress=stop)
    rows = train(run, resume=True)
    assert run.resumed_at == [128]
    assert [row["steps"] for row in rows] == [0, 128, 256]
    tested = curve(run, "test/success")
    assert tested == [(row["steps"], pytest.approx(row["success"])) for row in rows]
    # SB3's own come after each rollout, those of an update after the next one.
    assert [step for step, _ in curve(run, "time/fps")] == [64, 128, 192, 256]
    assert [step for step, _ in curve(run, "train/loss")] == [128, 256]


def curve(run: Run, name: str) -> list[tuple[int, float]]:
    """Steps and values that TensorBoard shows."""
    board = EventAccumulator(str(run.tensorboard), purge_orphaned_data=True).Reload()
    return [(event.step, event.value) for event in board.Scalars(name)]


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
    for since in (None, 20):
        logger = make_logger(run, since)
        logger.record("calm/asked", 3)
        logger.record("note", "words")
        logger.dump((since or 0) + 10)
        logger.close()
    assert sent == [({"calm/asked": 3}, 10), ({"calm/asked": 3}, 30)]
    assert ended == [True, True]
    first, second = started
    assert first == second  # the same run there
    assert first["project"] == "mine"
    assert first["config"]["seed"] == 7
    assert first["resume"] == "allow"


@pytest.mark.parametrize("tracker", ["wandb", "trackio"])
def test_what_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: str
) -> None:
    monkeypatch.setitem(sys.modules, tracker, None)
    run = Run.create(tmp_path / "run", TrainConfig(**{tracker: "mine"}))
    with pytest.raises(UsageError, match=f"pip install {tracker}"):
        make_logger(run, None)


def test_trackio_gets_the_numbers_under_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, Any]] = []
    sent: list[tuple[dict[str, Any], int]] = []

    def init(**settings: Any) -> Any:
        started.append(settings)
        return SimpleNamespace(
            log=lambda numbers, step: sent.append((numbers, step)), finish=lambda: None
        )

    monkeypatch.setitem(sys.modules, "trackio", SimpleNamespace(init=init))
    runs = [Run.create(tmp_path / name, TrainConfig(trackio="mine")) for name in ("a", "b")]
    for run, since in ((runs[0], None), (runs[0], 20), (runs[1], None)):
        logger = make_logger(run, since)
        logger.record("calm/asked", 3)
        logger.dump((since or 0) + 10)
        logger.close()
    assert sent == [({"calm/asked": 3}, 10), ({"calm/asked": 3}, 30), ({"calm/asked": 3}, 10)]
    assert started[0] == started[1]
    assert started[0]["name"] != started[2]["name"]
    assert (started[0]["project"], started[0]["resume"]) == ("mine", "allow")


def test_the_real_trackio_keeps_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio")
    import sqlite3

    run = Run.create(tmp_path / "run", TrainConfig(trackio="mine"))
    for since in (None, 20):
        logger = make_logger(run, since)
        logger.record("calm/asked", 3)
        logger.dump((since or 0) + 10)
        logger.close()
    (file,) = (tmp_path / "trackio").glob("*.db")
    with sqlite3.connect(file) as db:
        rows = db.execute("SELECT DISTINCT run_name, step FROM metrics ORDER BY step").fetchall()
    assert [step for _, step in rows] == [10, 30]
    assert len({name for name, _ in rows}) == 1

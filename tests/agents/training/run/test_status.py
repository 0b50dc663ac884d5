"""A run's status, written by who trains it and read by who watches."""

from dataclasses import replace
from pathlib import Path

from agents.training.run.folder import Run
from agents.training.run.status import (
    StatusReader,
    StatusWriter,
    TrainingStatus,
    read_status,
    remove_status,
    write_status,
)
from agents.training.settings.config import TrainConfig
from agents.training.train import train

STATUS = TrainingStatus(100, 400, 50.0, None, 3)


def test_a_status_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None
    write_status(tmp_path, STATUS)
    assert read_status(tmp_path) == STATUS
    remove_status(tmp_path)
    remove_status(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_no_status_is_none(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"steps": 1}', '{"other": 1}'):
        (tmp_path / "status.json").write_text(text)
        assert read_status(tmp_path) is None
    write_status(tmp_path / "no folder" / "at all", STATUS)  # no reason to end training


def test_changes_are_told_once_and_not_too_often(tmp_path: Path) -> None:
    reader = StatusReader(seconds=5)
    write_status(tmp_path, STATUS)
    assert reader.changed({7: tmp_path}, now=0) == [(7, STATUS)]
    later = replace(STATUS, steps=200)
    write_status(tmp_path, later)
    assert reader.changed({7: tmp_path}, now=4) == []
    assert reader.changed({7: tmp_path}, now=5) == [(7, later)]
    assert reader.changed({7: tmp_path}, now=10) == []


def test_a_run_writes_at_most_one_status_in_two_seconds(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path)
    writer.write(STATUS)
    writer.write(replace(STATUS, steps=200))
    assert read_status(tmp_path) in (STATUS, replace(STATUS, steps=200))  # the later if it is slow


def test_a_run_that_is_trained_says_how_far_it_is_and_nothing_stays(tmp_path: Path) -> None:
    config = TrainConfig(
        judge="none", n_envs=4, n_steps=16, steps=128, eval_episodes=2, features_dim=16
    )
    run = Run.create(tmp_path / "run", config)
    seen = []
    train(run, on_progress=lambda _: seen.append(read_status(run.folder)))
    assert all(status is not None and status.total == 128 for status in seen)
    assert len(seen) >= 3
    assert read_status(run.folder) is None

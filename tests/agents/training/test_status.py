"""A cell's status, written by who trains it and read by who watches."""

from dataclasses import replace
from pathlib import Path

from agents.training.status import (
    StatusReader,
    TrainingStatus,
    read_status,
    remove_status,
    write_status,
)

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

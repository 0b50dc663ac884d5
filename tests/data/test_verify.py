"""What is wrong with a set is told, a line each."""

import json
from pathlib import Path

import pytest

from data.dataset import CARD, write_manifest, write_part
from data.verify import faults, verify
from tests.support.key_and_door import TASK, key_and_door_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "small-v1"
    path.mkdir()
    part = write_part(path, "balanced", key_and_door_rows(), {TASK.id: TASK})
    write_manifest(path, "small-v1", {"balanced": part}, {"data_levels": [0, 24]})
    (path / CARD).write_text("# small")
    return path


def test_a_sound_set_has_no_fault(folder: Path) -> None:
    assert list(faults(folder)) == []
    assert list(verify([str(folder)])) == [(str(folder), [])]


def test_each_fault_has_its_line(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"name": "other", "data_levels": [0, 23]}
    manifest["parts"]["balanced"] |= {"rows": 25, "sha256": "0", "classes": {"a": 1, "b": 3}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / CARD).unlink()
    lines = [line.removeprefix(str(folder)).lstrip("/") for line in faults(folder)]
    assert lines[:3] == [
        f": no card ({CARD})",
        ": its manifest calls it 'other'",
        "balanced.parquet: sha256 is not the manifest's",
    ]
    assert "balanced.parquet: rows is 24, the manifest says 25" in lines
    assert "balanced.parquet: row 23: level seed 23 is not one that data may use" in lines
    assert lines[-1] == "balanced.parquet: classes are not even: {'a': 1, 'b': 3}"


def test_the_same_step_twice_is_a_fault(tmp_path: Path) -> None:
    rows = key_and_door_rows(6)
    part = write_part(tmp_path, "all", [*rows, rows[2]], {TASK.id: TASK})
    write_manifest(tmp_path, tmp_path.name, {"all": part}, {})
    (tmp_path / CARD).write_text("#")
    path = tmp_path / "all.parquet"
    assert list(faults(tmp_path)) == [f"{path}: row 6: same content as {path}: row 2"]


def test_a_folder_that_is_no_set_is_one_fault(tmp_path: Path) -> None:
    [(name, [fault])] = verify([str(tmp_path)])
    assert name == str(tmp_path)
    assert "not a manifest of a data set" in fault

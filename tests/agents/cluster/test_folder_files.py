"""A run's folder carried in pieces: what changed, the checkpoint last, nothing outside."""

from pathlib import Path

import pytest

from agents.cluster import folder_files
from agents.cluster.folder_files import ChangedFiles, write_files
from calm.errors import CalmError


def test_only_what_changed_is_taken_again(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "events").write_bytes(b"1")
    (tmp_path / "config.yaml").write_bytes(b"steps: 2")
    (tmp_path / "owner.json").write_bytes(b"{}")
    (tmp_path / ".1-2.partial").write_bytes(b"half")
    changed = ChangedFiles(tmp_path)
    assert changed.take() == {"config.yaml": b"steps: 2", "tensorboard/events": b"1"}
    assert changed.take() == {}
    (tmp_path / "tensorboard" / "events").write_bytes(b"12")
    files = changed.take()
    assert files == {"tensorboard/events": b"12"}
    changed.put_back(files)  # they did not arrive
    assert changed.take() == files


def test_the_checkpoint_is_written_after_what_belongs_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    monkeypatch.setattr(folder_files, "write_file", lambda path, _: names.append(path.name))
    write_files(tmp_path, {"checkpoint.pt": b"", "a": b"", "metrics.parquet": b""})
    assert names == ["a", "metrics.parquet", "checkpoint.pt"]


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b"])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(CalmError, match="outside"):
        write_files(tmp_path / "run", {name: b""})
    assert not list(tmp_path.rglob("*"))

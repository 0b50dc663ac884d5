"""A stepper that can't be used is not trusted, and nothing else comes of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from envs.implementations import both_paths
from envs.native.build import Built, built
from envs.native.check import trusted


@pytest.mark.parametrize("product", ["stepper.so", "worker"])
def test_garbage_is_not_trusted(
    product: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stepper = built()
    assert stepper is not None
    for name in ("stepper.so", "worker"):
        shutil.copy(stepper.folder / name, tmp_path)
    (tmp_path / product).write_bytes(b"garbage")
    assert not trusted(Built(tmp_path), both_paths)
    assert "plain path" in caplog.text
    assert not list(tmp_path.glob("same-*"))

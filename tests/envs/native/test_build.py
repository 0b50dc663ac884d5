"""The stepper where it can be compiled, and one line in the log where it can't."""

import logging
from pathlib import Path

import pytest

from envs.native.build import Built, built


def test_both_products_lie_in_one_folder(tmp_path: Path) -> None:
    stepper = Built(tmp_path)
    assert (stepper.library, stepper.worker) == (tmp_path / "stepper.so", tmp_path / "worker")


def test_without_a_compiler_there_is_none_and_the_log_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    with caplog.at_level(logging.WARNING):
        assert built.__wrapped__() is None
    (record,) = caplog.records
    assert "environments take the plain path, which is slower" in record.message
    assert "no-such-compiler" in record.message

"""A small set, on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.key_and_door import key_and_door_set


@pytest.fixture
def transitions(tmp_path: Path) -> Path:
    """24 transitions of twelve episodes in a parquet file: key, door, nothing, in turn."""
    return key_and_door_set(tmp_path / "t.parquet")

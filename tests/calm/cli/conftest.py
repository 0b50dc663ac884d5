"""A folder with a task and a store."""

from pathlib import Path

import pytest

from tests.support.kitchen import make_kitchen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task file, and a store with three answers of which one is prose."""
    return make_kitchen(tmp_path)

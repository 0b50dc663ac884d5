"""`calm store import`: new answers are taken in, those that are there stay."""

from pathlib import Path

import pytest

from calm.errors import UsageError
from tests.support.command_line import calm
from tests.support.kitchen import make_kitchen


def test_answers_are_taken_in_once(tmp_path: Path) -> None:
    calm("store", "export", tmp_path / "out", "--store", make_kitchen(tmp_path) / "calm.sqlite")
    words = ("store", "import", tmp_path / "out", "--store", tmp_path / "new.sqlite")
    assert calm(*words) == "3 answers taken in, 0 were there already\n"
    assert calm(*words) == "0 answers taken in, 3 were there already\n"


def test_a_folder_that_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no export of a store"):
        calm("store", "import", tmp_path, "--store", tmp_path / "new.sqlite")

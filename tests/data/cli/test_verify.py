"""`calm data verify` tells each fault and ends with 1."""

from __future__ import annotations

import shutil
from pathlib import Path

from data.dataset import SHIPPED
from tests.support.command_line import run_calm


def test_a_sound_set_and_one_that_was_changed(tmp_path: Path) -> None:
    folder = tmp_path / "keyroom-v1"
    shutil.copytree(SHIPPED / "keyroom-v1", folder)
    sound = run_calm("data", "verify", folder)
    assert (sound.exit_code, sound.output) == (0, f"{folder}: verified\n")
    (folder / "README.md").unlink()
    faulty = run_calm("data", "verify", folder)
    assert faulty.exit_code == 1
    assert faulty.output == f"{folder}: no card (README.md)\n{folder}: FAULTY\n"

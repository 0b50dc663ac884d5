"""A level is compiled wherever the folder for temporary files lies."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from calm.errors import GameError
from envs.game.levels.compiler import lev_comp
from envs.stepping.batch import Batch


def first_glyphs(native: bool) -> np.ndarray:
    with Batch("MiniHack-KeyRoom-S5-v0", 1, ("glyphs",), native=native, workers=0) as batch:
        batch.reset([5])
        return batch.arrays["glyphs"].copy()


@pytest.mark.parametrize("native", [False, True])
def test_a_folder_with_spaces_and_letters_of_all_kinds_plays_the_same_level(
    native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = first_glyphs(native)
    folder = tmp_path / "a b 'é\" $x"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(first_glyphs(native), expected)
    assert list(tmp_path.iterdir()) == [folder]  # nothing was left in the present folder


def test_a_place_that_takes_no_files_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(GameError, match="gone"):
        lev_comp("MAZE: \"mylevel\", ' '\n")
    with pytest.raises(GameError, match=r"can't be set up: .*gone"):
        Batch("MiniHack-KeyRoom-S5-v0", 1, ("glyphs",))

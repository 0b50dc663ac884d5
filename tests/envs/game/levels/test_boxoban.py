"""Boxoban's levels are read from a folder, every one of them, and a seed always plays the same."""

from pathlib import Path

import numpy as np
import pytest

from calm.errors import UsageError
from envs.game.goal import WON
from envs.game.levels.boxoban import FOLDER, pick, read_levels
from envs.stepping.batch import Batch
from tests.support.boxoban import LEVELS, ONE_PUSH, SOUTH, TWO_BOXES, write_levels

HARD = "MiniHack-Boxoban-Hard-v0"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three levels, which the environment variable names."""
    folder = write_levels(tmp_path / "boxoban")
    monkeypatch.setenv(FOLDER, str(folder))
    return folder


def test_every_level_of_every_file_is_read(folder: Path) -> None:
    assert read_levels(folder / "hard") == list(LEVELS)


@pytest.mark.parametrize(
    ("level", "why"),
    [
        (ONE_PUSH.replace(".", "*"), r"000.txt, level 2 .*'\*' in it"),
        (ONE_PUSH.replace("@", " "), "0 players"),
        (ONE_PUSH.replace("$.", "$ "), "1 boxes and 0 targets"),
        (ONE_PUSH.replace("#    #", "", 1), "an empty line"),
        ("#" * 77 + "\n" + ONE_PUSH, "20 rows of 76"),
    ],
)
def test_what_is_no_level_is_named(level: str, why: str, tmp_path: Path) -> None:
    write_levels(tmp_path, levels=(SOUTH, level))
    with pytest.raises(UsageError, match=why):
        read_levels(tmp_path / "hard")


def test_where_the_files_come_from_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(UsageError, match=rf"{tmp_path}.*git clone .*boxoban-levels.* CALM_BOXOBAN"):
        Batch(HARD, 1)
    monkeypatch.delenv(FOLDER)
    with pytest.raises(UsageError, match=r"no part of MiniHack; download"):
        Batch(HARD, 1)


def test_a_seed_always_plays_the_same_level_and_seeds_play_all() -> None:
    drawn = [pick(LEVELS, seed) for seed in range(60)]
    assert drawn == [pick(LEVELS, seed) for seed in range(60)]
    assert min(drawn.count(level) for level in LEVELS) >= 10


@pytest.mark.parametrize("native", [False, True])
def test_a_push_onto_the_target_wins(folder: Path, native: bool) -> None:
    seeds = [s for s in range(30) if pick(LEVELS, s) == ONE_PUSH][:2]
    with Batch(HARD, 1, ("chars",), native=native, workers=0) as batch:
        assert batch.rules.actions == ("move north", "move east", "move south", "move west")
        assert batch.rules.path == "rules"
        for seed in seeds:
            batch.reset([seed])
            chars = batch.arrays["chars"][0]
            assert (chars == ord("`")).sum() == (chars == ord("{")).sum() == 1
            reward, terminated, _ = batch.step([1])
            assert terminated[0]
            assert batch.status[0] == WON
            assert reward[0] == 1


@pytest.mark.parametrize("native", [False, True])
def test_both_boxes_must_be_on_targets(folder: Path, native: bool) -> None:
    seed = next(s for s in range(30) if pick(LEVELS, s) == TWO_BOXES)
    with Batch(HARD, 2, ("chars",), native=native, workers=0) as batch:
        batch.reset([seed, seed])
        assert np.array_equal(*batch.arrays["chars"])
        rewards, terminated, _ = batch.step([3, 3])  # a boulder to the west, onto a fountain
        assert not terminated.any()
        assert rewards == pytest.approx([0.099, 0.099])

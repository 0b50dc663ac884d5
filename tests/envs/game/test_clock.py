"""A level seed gives the same game at any second of the day."""

from __future__ import annotations

import _ctypes
import ctypes
import os
import shutil
from pathlib import Path

import pytest
from nle import nethack

from envs.game.clock import stop_clock
from envs.game.minihack_env import make_minihack
from envs.stepping.batch import Batch

ANT_HOLE = """LEVEL: "mylevel"
ROOM: "anthole", lit, (3,3), (center,center), (9,9) {
STAIR: (0,0), down
}
"""
"""NetHack picks the kind of ants by the second in which the game begins."""
FIRE_ANT = nethack.GLYPH_MON_OFF + 3


@pytest.mark.parametrize("native", [False, True])
def test_the_ants_of_a_hole_do_not_depend_on_the_second(native: bool) -> None:
    options = {"des_file": ANT_HOLE}
    with Batch(
        "MiniHack-Navigation-Custom-v0",
        1,
        ("glyphs", "blstats"),
        native=native,
        workers=0,
        options=options,
    ) as batch:
        batch.reset([5])
        glyphs = batch.arrays["glyphs"]
        hero = glyphs[0, batch.arrays["blstats"][0, 1], batch.arrays["blstats"][0, 0]]
        monsters = set(glyphs[glyphs < nethack.GLYPH_PET_OFF].tolist())
        assert monsters == {hero, FIRE_ANT}  # second 0 of 1970; otherwise soldier or giant ants


@pytest.mark.parametrize("task", ["MiniHack-KeyRoom-S5-v0", "MiniHack-Eat-v0"])
def test_a_game_begins_in_the_first_second_of_1970(task: str) -> None:
    with Batch(task, 1, native=False) as batch:
        batch.reset([1])
        game = batch.backend._games[0]  # type: ignore[attr-defined]
        loaded = ctypes.CDLL(game._env.nethack.dlpath, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        born = ctypes.c_long.in_dll(loaded, "ubirthday").value
        _ctypes.dlclose(loaded._handle)  # else the next game of this name gets this one's memory
    assert born == 0


def test_only_the_copy_of_one_game_is_changed(tmp_path: Path) -> None:
    before = Path(nethack.nethack.DLPATH).read_bytes()
    make_minihack("MiniHack-KeyRoom-S5-v0").close()
    assert Path(nethack.nethack.DLPATH).read_bytes() == before
    copy = tmp_path / "libnethack.so"
    shutil.copyfile(nethack.nethack.DLPATH, copy)
    assert stop_clock(copy)
    changed = [i for i, (a, b) in enumerate(zip(before, copy.read_bytes(), strict=True)) if a != b]
    assert 1 <= len(changed) <= 4  # one number
    assert not stop_clock(copy)  # nothing calls `time` any more


@pytest.mark.parametrize("content", [b"", b"MZ", b"\x7fELF\x01\x01" + bytes(60), bytes(100)])
def test_what_is_no_such_library_is_left_alone(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "library"
    file.write_bytes(content)
    assert not stop_clock(file)
    assert file.read_bytes() == content

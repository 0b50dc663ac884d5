"""Banks and beds in maps drawn by hand, and beside what the events say of it."""

from __future__ import annotations

import numpy as np
import pytest

from envs.events.sight import Sight
from envs.events.signature import CROSSED, FLAGS
from envs.truth.crossings import Banks
from tests.support.drawn import CMAP, CROSSINGS, HERO, Drawn, steps_done


def crossings(maps: list[str], depths: tuple[int, ...] = ()) -> list[int]:
    return steps_done(Banks(1), maps, depths)


@pytest.mark.parametrize("what", CROSSINGS)
def test_crossings(what: str) -> None:
    maps, expected = CROSSINGS[what]
    assert crossings(maps) == expected


def test_a_pond_has_one_bank() -> None:
    maps = [".../@P./...", ".../.@./...", ".../..@/..."]
    assert crossings(maps) == []
    assert crossings([m.replace("...", ".P.") for m in maps]) == [2]


def test_another_level_has_other_banks() -> None:
    maps = [".W./@W./.W.", ".W./.@./.W.", "..../..@./....", "..../.@../....", "..../...@/...."]
    assert crossings(maps, (1, 1, 2, 2, 2)) == []
    assert crossings(maps[:3]) == [2]


def test_rows_are_apart_and_begin_anew() -> None:
    drawn, banks = Drawn(3), Banks(3)
    glyphs, blstats = drawn.arrays["glyphs"], drawn.arrays["blstats"]
    drawn.show(".W./@W./.W.")
    banks.begin(np.arange(3), glyphs, blstats)
    drawn.show(".W./.@./.W.")
    banks.step(glyphs, blstats)
    banks.begin(np.array([1]), glyphs, blstats)  # starts where the others stand on the bed
    drawn.show(".W./..@/.W.")
    assert banks.step(glyphs, blstats).tolist() == [True, False, True]


@pytest.mark.parametrize("width", [1, 2, 3, 5])
@pytest.mark.parametrize("across", [False, True])
def test_events_and_truth_agree_on_straight_rivers(width: int, across: bool) -> None:
    """A hero that wanders anywhere, over the water too; both find many crossings."""
    rng = np.random.default_rng(width)
    rows, columns = 7, 7 + width
    level = np.full((rows, columns), CMAP + 19, np.int16)
    level[:, 3 : 3 + width] = rng.choice([CMAP + 34, CMAP + 41], size=(rows, width))
    if across:
        level, rows, columns = level.T, columns, rows
    drawn = Drawn()
    glyphs, blstats = drawn.arrays["glyphs"], drawn.arrays["blstats"]

    def show(y: int, x: int) -> None:
        glyphs[0, 2 : 2 + rows, 2 : 2 + columns] = level
        glyphs[0, 2 + y, 2 + x] = HERO
        blstats[0, :2] = (2 + x, 2 + y)
        blstats[0, 10] = 9

    sight, banks = Sight(drawn, np.zeros(1, np.uint8)), Banks(1)
    y, x, none, crossed = 0, 0, np.zeros(1, np.bool_), 0
    show(y, x)
    sight.on_reset(np.arange(1))
    banks.begin(np.arange(1), glyphs, blstats)
    for step in range(1500):
        y = int(np.clip(y + rng.integers(-1, 2), 0, rows - 1))
        x = int(np.clip(x + rng.integers(-1, 2), 0, columns - 1))
        show(y, x)
        sight.on_step(np.zeros(1, np.int64), none, none)
        truly = bool(banks.step(glyphs, blstats)[0])
        assert bool(sight.signatures[0, FLAGS] & CROSSED) == truly, f"step {step}"
        crossed += truly
    assert crossed > 5

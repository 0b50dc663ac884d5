"""Filled pits in maps drawn by hand: what lies on a pit hides it, and changes nothing."""

import numpy as np
import pytest

from envs.truth.pits import FilledPits
from tests.support.drawn import Drawn, steps_done


@pytest.mark.parametrize(
    ("maps", "steps"),
    [
        ([".@0^.", "..@..", ".@...", "..@.."], [1]),
        ([".@0^.", ".@0m.", "..@.."], [2]),  # something comes to lie on it first
        ([".@0^.", "..@m."], [1]),  # or lies there afterwards
        ([".@0..", "..@0.", "...@0"], []),
        ([".@0^.", "..@0.", "...@0"], []),  # a boulder is there and no ground
        (["@.0^.", ".@0^.", "..@^."], []),  # the boulder is gone, the pit is there
        (["..^../..0../..@..", "...../..@../....."], [1]),
    ],
)
def test_filled_pits(maps: list[str], steps: list[int]) -> None:
    assert steps_done(FilledPits(1), maps) == steps


def test_an_episode_begins_with_the_pits_of_its_own_map() -> None:
    drawn, pits = Drawn(2), FilledPits(2)
    glyphs, blstats = drawn.arrays["glyphs"], drawn.arrays["blstats"]
    drawn.show(".@0^.")
    pits.begin(np.arange(2), glyphs, blstats)
    drawn.show(".@0..")
    pits.begin(np.array([1]), glyphs, blstats)
    drawn.show("..@..")
    assert pits.step(glyphs, blstats).tolist() == [True, False]

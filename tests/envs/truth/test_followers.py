"""Followers: each is of a given subgoal, and tells of each of its environments apart."""

import numpy as np
import pytest

from envs.subgoals import SUBGOALS
from envs.truth.followers import FOLLOWERS
from envs.truth.stream import check_known
from tests.support.drawn import Drawn

DONE = {
    "cross the water or lava": [".W./@W./.W.", ".W./.@./.W.", ".W./..@/.W."],
    "cross a strip of lava": ["|||||/|@L.|/|.L.|/|...|/|||||", "|||||/|.L.|/|.L.|/|..@|/|||||"],
    "fill a pit with a boulder": [".@0^.", "..@.."],
}
"""Maps of which the last step does what two maps alone would not tell."""


def test_every_follower_is_of_a_given_subgoal() -> None:
    check_known([SUBGOALS[name] for name in FOLLOWERS])
    assert {name.startswith("take the right one") for name in set(FOLLOWERS) - set(DONE)} == {True}


@pytest.mark.parametrize("name", DONE)
def test_what_one_hero_does_no_other_has_done(name: str) -> None:
    drawn = Drawn(3)
    follower = FOLLOWERS[name](3)
    glyphs, blstats = drawn.arrays["glyphs"], drawn.arrays["blstats"]
    *maps, last = DONE[name]
    drawn.show(maps[0])
    follower.begin(np.arange(3), glyphs, blstats)
    for drawing in maps[1:]:
        drawn.show(drawing)
        assert not follower.step(glyphs, blstats).any()
    still = {key: array.copy() for key, array in drawn.arrays.items()}
    drawn.show(last)
    for key in ("glyphs", "blstats"):
        drawn.arrays[key][1] = still[key][1]  # the second hero stays where it is
    assert follower.step(glyphs, blstats).tolist() == [True, False, True]

"""Boxoban's levels: the text is MiniHack's, the bytes are those of NetHack's compiler."""

from pathlib import Path

import pytest

from envs.game.levels.boxoban import FOLDER
from envs.game.levels.boxoban_level import BoxobanLevel
from envs.game.levels.code import VERSION_BYTES
from envs.game.levels.compiler import lev_comp
from envs.game.minihack_env import make_minihack, seeded_levels
from envs.game.rules import read_rules
from tests.support.boxoban import LEVELS, ONE_PUSH

OWN = Path(__file__).parents[4] / "agents" / "data_sets" / "boxoban"
FLAGS = ("noteleport", "premapped")


RAGGED = """##
#@$. #
"""


def test_levels_are_those_that_minihack_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(OWN))
    env = make_minihack("MiniHack-Boxoban-Medium-v0", {"flags": ("shroud",)})
    levels = seeded_levels(env, read_rules(env))
    assert levels is not None
    drawn = set()
    for seed in range(20):
        env.seed(seed, seed, False)
        text = env.get_lvl_gen().get_des()
        drawn.add(text)
        assert levels.draw(seed).des_file() == text
        assert levels.compile(seed) == lev_comp(text)
    assert len(drawn) == 6  # all there are
    env.close()


@pytest.mark.parametrize("level", [*LEVELS, RAGGED])
def test_writes_what_the_compiler_writes(level: str) -> None:
    own = BoxobanLevel(tuple(level.splitlines()), FLAGS)
    compiled = lev_comp(own.des_file())
    assert own.encode(compiled[:VERSION_BYTES]) == compiled


def test_a_place_is_a_column_and_a_row() -> None:
    level = BoxobanLevel(("####", "#@$#", "#..#", "####"), FLAGS)
    assert level.rows == ["FFFF", "F..F", "F..F", "FFFF"]
    assert level.places("$") == [(2, 1)]
    assert level.places(".") == [(1, 2), (2, 2)]
    assert BoxobanLevel(tuple(ONE_PUSH.splitlines()), FLAGS).places("@") == [(2, 2)]

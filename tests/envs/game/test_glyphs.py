"""The tables of glyphs hold what nle itself says of a glyph."""

import numpy as np
import pytest
from nle import nethack

from envs.game.glyphs import (
    CARRIED,
    CARRIED_OF_GLYPH,
    GROUND_OF_GLYPH,
    GROUNDS,
    SOLID_OF_GLYPH,
    THING_OF_GLYPH,
    THINGS,
)


@pytest.mark.parametrize(
    ("explanation", "thing", "ground", "solid"),
    [
        ("doorway", "nothing", "doorway", True),
        ("open door", "open door", "doorway", False),
        ("closed door", "closed door", "unknown", False),
        ("floor of a room", "nothing", "room", True),
        ("corridor", "nothing", "corridor", True),
        ("lit corridor", "nothing", "corridor", True),
        ("staircase up", "staircase up", "unknown", False),
        ("staircase down", "staircase down", "unknown", False),
        ("water", "water", "unknown", False),
        ("molten lava", "lava", "unknown", False),
        ("ice", "nothing", "unknown", True),
        ("wall", "nothing", "unknown", False),
        ("bear trap", "trap", "unknown", False),
    ],
)
def test_symbols_of_the_map(explanation: str, thing: str, ground: str, solid: bool) -> None:
    names = [
        nethack.GLYPH_CMAP_OFF + i
        for i in range(nethack.MAXPCHARS - nethack.MAXEXPCHARS)
        if nethack.symdef.from_idx(i).explanation == explanation
    ]
    assert names
    for glyph in names:
        assert THINGS[THING_OF_GLYPH[glyph]] == thing
        assert GROUNDS[GROUND_OF_GLYPH[glyph]] == ground
        assert SOLID_OF_GLYPH[glyph] == solid


@pytest.mark.parametrize(
    ("name", "thing", "carried"),
    [
        ("skeleton key", "key", "key"),
        ("frost horn", "horn", "horn"),
        ("unicorn horn", "object", "tool"),
        ("cold", "wand", "wand"),
        ("boulder", "boulder", "object"),
        ("dagger", "object", "weapon"),
        ("apple", "object", "piece of food"),
        ("gold piece", "object", "coins"),
    ],
)
def test_objects(name: str, thing: str, carried: str) -> None:
    objects = [nethack.objclass(i) for i in range(nethack.NUM_OBJECTS)]
    index = next(i for i, o in enumerate(objects) if nethack.OBJ_NAME(o) == name)
    glyph = nethack.GLYPH_OBJ_OFF + index
    assert THINGS[THING_OF_GLYPH[glyph]] == thing
    assert CARRIED[CARRIED_OF_GLYPH[glyph]] == carried


def test_monsters_of_all_sorts() -> None:
    for glyph in range(nethack.GLYPH_BODY_OFF):  # normal, pets, invisible, detected
        assert THINGS[THING_OF_GLYPH[glyph]] == "monster"
    assert THINGS[THING_OF_GLYPH[nethack.GLYPH_BODY_OFF]] == "object"


def test_no_glyph_is_nothing() -> None:
    assert THING_OF_GLYPH[nethack.NO_GLYPH] == 0
    assert CARRIED_OF_GLYPH[nethack.NO_GLYPH] == 0
    assert len(THING_OF_GLYPH) == nethack.MAX_GLYPH + 1
    assert np.unique(THING_OF_GLYPH).tolist() == list(range(len(THINGS)))

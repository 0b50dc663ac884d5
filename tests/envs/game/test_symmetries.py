"""Symmetries of the square: by hand, as a group, and in games on a level and its images."""

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from nle import nethack

from envs.game.actions import DIRECTIONS
from envs.game.glyphs import (
    CLOSED_DOORS,
    NO_GLYPH,
    OPEN_DOORS,
    ROOM_FLOORS,
    SKELETON_KEY,
    STAIRCASE_DOWN,
    WALLS,
)
from envs.game.symmetries import SYMMETRIES, Symmetry
from envs.stepping.batch import Batch

KEYS = "kljhunby"
"""North, east, south, west, northeast, southeast, southwest, northwest."""
PRESSES = tuple(ord(key) for key in KEYS)
MIRRORED = Symmetry(flips_rows=False, flips_columns=True, transposes=False)
UPSIDE_DOWN = Symmetry(flips_rows=True, flips_columns=False, transposes=False)
TRANSPOSED = Symmetry(flips_rows=False, flips_columns=False, transposes=True)
QUARTER = Symmetry(flips_rows=True, flips_columns=False, transposes=True)
"""Clockwise: what was in the west is in the north then."""


def named(symmetry: Symmetry, keys: str) -> str:
    """The images of keys."""
    table = symmetry.actions(PRESSES)
    return "".join(KEYS[table[KEYS.index(key)]] for key in keys)


def test_directions_go_where_the_picture_goes() -> None:
    assert named(MIRRORED, "khuj") == "klyj"
    assert named(UPSIDE_DOWN, "kluy") == "jlnb"
    assert named(TRANSPOSED, "klyu") == "hjyb"
    assert named(QUARTER, "hkyn") == "klub"
    assert named(SYMMETRIES[0], KEYS) == KEYS


def test_runs_go_as_steps_do_and_other_actions_stay() -> None:
    presses = [ord(key) for key in "hlHL,a"]
    assert MIRRORED.actions(presses).tolist() == [1, 0, 3, 2, 4, 5]


def test_a_direction_needs_its_image_among_the_actions() -> None:
    north_and_east = [ord("k"), ord("l")]
    assert SYMMETRIES[0].actions(north_and_east).tolist() == [0, 1]
    with pytest.raises(ValueError, match="the key l goes where h goes in a mirror image"):
        MIRRORED.actions(north_and_east)


def test_glyphs_that_tell_directions_become_each_other() -> None:
    vertical, horizontal, top_left, top_right, bottom_left = WALLS[:5]
    mirrored, turned = MIRRORED.glyphs(), QUARTER.glyphs()
    assert mirrored[[vertical, horizontal, top_left, bottom_left]].tolist() == [
        vertical, horizontal, top_right, bottom_left + 1,
    ]  # fmt: skip
    assert turned[[vertical, horizontal, top_left]].tolist() == [horizontal, vertical, top_right]
    assert turned[list(OPEN_DOORS + CLOSED_DOORS)].tolist() == [
        *OPEN_DOORS[::-1],
        *CLOSED_DOORS[::-1],
    ]
    ray = nethack.GLYPH_ZAP_OFF + 4  # of fire: | - \ /
    assert mirrored[ray : ray + 4].tolist() == [ray, ray + 1, ray + 3, ray + 2]
    assert turned[ray : ray + 4].tolist() == [ray + 1, ray, ray + 3, ray + 2]
    bang = nethack.GLYPH_EXPLODE_OFF  # its nine parts, row by row
    assert (turned[bang : bang + 9] - bang).tolist() == [2, 5, 8, 1, 4, 7, 0, 3, 6]
    inside = nethack.GLYPH_SWALLOW_OFF + 8 * 3  # eight parts: the middle is the hero
    assert (mirrored[inside : inside + 8] - inside).tolist() == [2, 1, 0, 4, 3, 7, 6, 5]
    for one in (SKELETON_KEY, STAIRCASE_DOWN, *ROOM_FLOORS, NO_GLYPH, 0):
        assert turned[one] == one


def test_they_are_a_group() -> None:
    directions = list(DIRECTIONS.values())
    maps = [tuple(map(s.of, directions)) for s in SYMMETRIES]
    assert len(set(maps)) == 8
    for first, second in product(SYMMETRIES, repeat=2):
        both = tuple(second.of(first.of(d)) for d in directions)
        third = SYMMETRIES[maps.index(both)]
        assert np.array_equal(second.glyphs()[first.glyphs()], third.glyphs())
        chained = second.actions(PRESSES)[first.actions(PRESSES)]
        assert np.array_equal(chained, third.actions(PRESSES))


LEVEL = [
    "--------",
    "|...|..|",
    "|...+..|",
    "|.-----|",
    "|......|",
    "--------",
]
HERO, KEY, STAIRS, DOOR = (1, 1), (1, 3), (4, 6), (2, 4)
"""Rows and columns in the level."""
WALK = "lljhbnl"
"""Over the key, past the door and around the wall."""


def moved(symmetry: Symmetry, cell: tuple[int, int]) -> tuple[int, int]:
    """Where a cell of the level lies in its image."""
    (row, column), height, width = cell, len(LEVEL), len(LEVEL[0])
    row = height - 1 - row if symmetry.flips_rows else row
    column = width - 1 - column if symmetry.flips_columns else column
    return (column, row) if symmetry.transposes else (row, column)


def image(symmetry: Symmetry) -> str:
    """The des-file of the level's image."""
    cells = {moved(symmetry, (r, c)): x for r, row in enumerate(LEVEL) for c, x in enumerate(row)}
    if symmetry.transposes:
        cells = {cell: {"-": "|", "|": "-"}.get(x, x) for cell, x in cells.items()}
    height, width = (1 + max(axis) for axis in zip(*cells, strict=True))
    rows = ["".join(cells[r, c] for c in range(width)) for r in range(height)]
    (hy, hx), (ky, kx), (sy, sx), (dy, dx) = (
        moved(symmetry, cell) for cell in (HERO, KEY, STAIRS, DOOR)
    )
    lines = [
        "MAZE: \"mylevel\", ' '",
        "FLAGS: premapped,noteleport",
        "GEOMETRY: center,center",
        "MAP",
        *rows,
        "ENDMAP",
        f'REGION: (0,0,{width - 1},{height - 1}),lit,"ordinary"',
        f"BRANCH: ({hx},{hy},{hx},{hy}),(0,0,0,0)",
        f"OBJECT: ('(',\"skeleton key\"),({kx},{ky})",
        f"STAIR: ({sx},{sy}),down",
        f"DOOR: closed,({dx},{dy})",
        "",
    ]
    return "\n".join(lines)


def crops(symmetry: Symmetry, keys: str) -> list[npt.NDArray[np.int16]]:
    """What the hero of the level's image sees at first, and after each key's image."""
    options = {"des_file": image(symmetry), "autopickup": False, "pet": False}
    with Batch(
        "MiniHack-Navigation-Custom-v0", 1, ("glyphs_crop",), crop=13, options=options, workers=0
    ) as batch:
        batch.reset([1])
        views = [batch.arrays["glyphs_crop"][0].copy()]
        presses = list(batch.rules.presses)
        table = symmetry.actions(presses)
        for key in keys:
            batch.step([table[presses.index(ord(key))]])
            views.append(batch.arrays["glyphs_crop"][0].copy())
    return views


@pytest.fixture(scope="module")
def as_it_is() -> list[npt.NDArray[np.int16]]:
    """What the hero sees in the level itself."""
    views = crops(SYMMETRIES[0], WALK)
    assert len({crop.tobytes() for crop in views}) == len(WALK) + 1  # he really moves
    assert {SKELETON_KEY, STAIRCASE_DOWN, *CLOSED_DOORS[:1]} <= set(views[0].flatten().tolist())
    return views


@pytest.mark.parametrize("symmetry", SYMMETRIES[1:], ids=str)
def test_games_on_a_level_and_on_its_image_are_images_of_each_other(
    symmetry: Symmetry, as_it_is: list[npt.NDArray[np.int16]]
) -> None:
    for crop, mirrored in zip(as_it_is, crops(symmetry, WALK), strict=True):
        flipped = crop[:: -1 if symmetry.flips_rows else 1, :: -1 if symmetry.flips_columns else 1]
        turned = flipped.T if symmetry.transposes else flipped
        assert np.array_equal(symmetry.glyphs()[turned], mirrored)

"""Crops around the hero, against maps whose cells hold their own number."""

import numpy as np

from envs.game.crops import Crop
from envs.game.glyphs import NO_GLYPH

MAPS = np.arange(2 * 21 * 79, dtype=np.int16).reshape(2, 21, 79)


def crops(key: str, places: list[tuple[int, int]]) -> np.ndarray:
    """3 x 3 cells around heroes at (x, y)."""
    blstats = np.zeros((2, 27), np.int64)
    blstats[:, :2] = places
    out = np.empty((2, 3, 3), np.int16)
    Crop(key, 2, 3, np.int16)(MAPS, blstats, out)
    return out


def test_the_hero_is_in_the_middle_of_its_own_map() -> None:
    first, second = crops("glyphs", [(10, 5), (40, 20)])
    assert first.tolist() == [[79 * y + x for x in (9, 10, 11)] for y in (4, 5, 6)]
    assert second[1, 1] == 21 * 79 + 79 * 20 + 40


def test_beyond_the_map_is_no_glyph_and_no_character() -> None:
    corner = crops("glyphs", [(0, 0), (78, 20)])
    assert corner[0].tolist() == [[NO_GLYPH] * 3, [NO_GLYPH, 0, 1], [NO_GLYPH, 79, 80]]
    assert (corner[1, :, 2] == NO_GLYPH).all()
    assert (corner[1, 2] == NO_GLYPH).all()
    assert crops("chars", [(0, 0), (78, 20)])[0, 0].tolist() == [0, 0, 0]

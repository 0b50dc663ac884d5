"""The tables of nearness, against values worked by hand."""

import pytest

from envs.events import tables
from envs.game.glyphs import THINGS


@pytest.mark.parametrize(
    ("kind", "levels"),
    [
        # by distance 0, 1, 2, 3, 4, 5, 8, 9, 78
        ("key", "ON NEXT_TO WITHIN_2 WITHIN_4 WITHIN_4 WITHIN_8 WITHIN_8 FAR FAR"),
        ("wand", "ON NEXT_TO FAR FAR FAR FAR FAR FAR FAR"),
        ("open door", "FAR FAR FAR FAR FAR FAR FAR FAR FAR"),
    ],
)
def test_a_level_of_nearness_by_distance(kind: str, levels: str) -> None:
    by_distance = tables.LEVEL_OF_DISTANCE[THINGS.index(kind)]
    expected = [getattr(tables, name) for name in levels.split()]
    assert by_distance[[0, 1, 2, 3, 4, 5, 8, 9, 78]].tolist() == expected


def test_a_change_of_level_is_described_where_something_happened() -> None:
    def change(before: int, after: int) -> int:
        return int(tables.CHANGE_OF_LEVELS[8 * before + after])

    assert change(tables.FAR, tables.FAR) == tables.NO_CHANGE
    assert change(tables.WITHIN_4, tables.ABSENT) == tables.LOST
    assert change(tables.WITHIN_2, tables.WITHIN_8) == tables.AWAY
    assert change(tables.ABSENT, tables.NEXT_TO) == tables.NEXT_TO
    assert change(tables.FAR, tables.WITHIN_2) == 8 * tables.FAR + tables.WITHIN_2
    assert change(tables.ON, tables.IN_HAND) == tables.NO_CHANGE  # the inventory says it


def test_multipliers_are_odd_so_that_every_word_counts() -> None:
    assert len(set(tables.MESSAGE_MULTIPLIERS.tolist())) == 64
    assert (tables.MESSAGE_MULTIPLIERS % 2 == 1).all()

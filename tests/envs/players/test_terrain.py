"""A player's map: what it remembers, and the ways over it, in rooms drawn by hand."""

import numpy as np
import pytest

from envs.game.glyphs import (
    BOULDER,
    CLOSED_DOORS,
    DOORWAY,
    LAVA,
    ROOM_FLOORS,
    STAIRCASE_DOWN,
    STONE,
    WATERS,
)
from envs.players.terrain import Terrain

GLYPHS = {
    " ": STONE, ".": ROOM_FLOORS[0], "|": DOORWAY, "+": CLOSED_DOORS[0], ">": STAIRCASE_DOWN,
    "0": BOULDER, "}": WATERS[0], "L": LAVA,
}  # fmt: skip


def terrain(*lines: str, hero: tuple[int, int] = (0, 0)) -> Terrain:
    """A terrain that has seen these lines, from the upper left corner of the map."""
    glyphs = np.full((21, 79), STONE, np.int16)
    for y, line in enumerate(lines):
        glyphs[y, : len(line)] = [GLYPHS[c] for c in line]
    blstats = np.zeros(27, np.int64)
    blstats[:2] = hero[1], hero[0]
    map_ = Terrain()
    map_.look(glyphs, blstats)
    return map_


def test_what_lay_under_the_hero_and_what_went_dark_stay_known() -> None:
    map_ = terrain("..>", hero=(0, 0))
    dark = np.full((21, 79), STONE, np.int16)
    blstats = np.zeros(27, np.int64)
    blstats[:2] = 2, 0
    map_.look(dark, blstats)
    assert map_.hero == (0, 2)
    assert map_.find("staircase down") == [(0, 2)]
    assert int(map_.glyphs[0, 1]) == ROOM_FLOORS[0]
    assert map_.visits[0, 2] == 1


def test_the_shortest_way_is_diagonal_but_not_through_doors() -> None:
    open_room = terrain("...", "...", "..>")
    stairs = {(2, 2)}
    assert open_room.path(stairs.__contains__) == [(5, (1, 1)), (5, (2, 2))]
    with_door = terrain(".", ".|>")
    way = with_door.path({(1, 2)}.__contains__)
    assert [cell for _, cell in way or ()] == [(1, 0), (1, 1), (1, 2)]  # no diagonal at the door
    assert open_room.path({(9, 9)}.__contains__) is None
    assert open_room.path({(0, 0)}.__contains__) == []


def test_water_is_a_way_for_those_afloat() -> None:
    river = terrain(".}.")
    assert river.path({(0, 2)}.__contains__) is None
    river.afloat = True
    assert river.path({(0, 2)}.__contains__) == [(1, (0, 1)), (1, (0, 2))]


@pytest.mark.parametrize(("cell", "unseen"), [((0, 2), True), ((1, 0), True), ((0, 0), False)])
def test_the_frontier_is_next_to_the_unseen(cell: tuple[int, int], unseen: bool) -> None:
    assert terrain("...", "...").frontier(cell) is unseen

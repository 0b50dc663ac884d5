"""Plans that push a boulder into water, in corridors drawn by hand."""

from envs.players.boulders import best_push, push_plan
from tests.envs.players.test_terrain import terrain

EAST = 1


def test_a_boulder_ahead_is_pushed_into_the_water() -> None:
    """Hero, floor, boulder, floor, water: one step, then two pushes."""
    corridor = terrain("..0.}")
    assert push_plan(corridor, (0, 2), {(0, 4)}) == [EAST, EAST, EAST]
    assert best_push(corridor) == [EAST, EAST, EAST]


def test_another_boulder_behind_it_makes_it_impossible() -> None:
    corridor = terrain(".00}")
    assert push_plan(corridor, (0, 1), {(0, 3)}) is None
    assert push_plan(corridor, (0, 2), {(0, 3)}) is None
    assert best_push(corridor) is None


def test_the_row_is_chosen_where_fills_were_made_before() -> None:
    """The water of the second row begins farther east."""
    room = terrain(".0.}}", ".....}", ".0...}", hero=(1, 0))
    plan = best_push(room)
    assert plan is not None
    assert plan == push_plan(room, (2, 1), {(1, 5), (2, 5)})

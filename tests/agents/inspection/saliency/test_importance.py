"""How important cells and kinds of cell are, from numbers worked by hand."""

import numpy as np
import torch

from agents.inspection.saliency.importance import by_kind, kinds_of, means_by_kind, stretched


def test_importance_is_stretched_by_hand() -> None:
    weights = torch.tensor([[[2.0, 4.0, 3.0]], [[5.0, 5.0, 5.0]], [[2.0, 4.0, 3.0]]])
    known = torch.ones(3, 1, 3, dtype=torch.bool)
    known[2, 0, 1] = False
    assert stretched(weights, known).tolist() == [[[0, 1, 0.5]], [[0, 0, 0]], [[0, 0, 1]]]


def test_importance_by_kind_of_cell() -> None:
    floor, stairs, wall, stone, jackal = 2378, 2383, 2360, 2359, 12
    glyphs = torch.tensor([[[jackal, wall, stone], [floor, 333.0, stairs], [floor, floor, floor]]])
    importance = np.array([[[0.25, 0.5, 0], [1.0, 0.75, 0.125], [0, 0, 0]]])
    kinds = kinds_of(glyphs, np.array([[1, 1]]))
    assert by_kind(importance, kinds) == {
        "hero": 0.75,
        "walls": 0.5,
        "monsters": 0.25,
        "floor": 0.25,
        "stairs": 0.125,
    }


def test_means_of_a_kind_are_of_each_observation_and_nan_where_none_is_in_sight() -> None:
    floor, stairs, wall = 2378, 2383, 2360
    glyphs = torch.tensor([[[floor, 333.0, floor]], [[wall, 333.0, stairs]]])
    importance = np.array([[[0.25, 1.0, 0.75]], [[0.125, 0.5, 1.0]]])
    means = means_by_kind(importance, kinds_of(glyphs, np.array([[0, 1], [0, 1]])))
    np.testing.assert_array_equal(means["hero"], [1.0, 0.5])
    np.testing.assert_array_equal(means["floor"], [0.5, np.nan])
    np.testing.assert_array_equal(means["walls"], [np.nan, 0.125])
    np.testing.assert_array_equal(means["stairs"], [np.nan, 1.0])


def test_a_hero_who_is_not_known_is_a_monster_as_the_game_draws_him() -> None:
    glyphs = torch.tensor([[[2378, 333.0, 12]]])
    cells, names = kinds_of(glyphs, None)
    assert [names[i] for i in cells[0, 0].tolist()] == ["floor", "monsters", "monsters"]

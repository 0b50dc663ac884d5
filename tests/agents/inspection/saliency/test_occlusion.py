"""Hiding cells: which ones, how far the policy moves, and what the check concludes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.inspection.saliency.occlusion import (
    Check,
    answers,
    chosen,
    interval,
    known_cells,
    moved,
    occlusion,
)
from agents.training.settings.config import TrainConfig
from tests.support.untrained import agent_and_crops

SMALL = {"n_envs": 2, "n_steps": 32, "features_dim": 16}
CHECK = Check(
    hidden=3,
    observations=7,
    episodes=5,
    kl_top=0.5,
    kl_bottom=0.1,
    kl_random=0.25,
    more=0.25,
    more_low=0.125,
    more_high=0.375,
    higher=0.5,
    value_top=0.5,
    value_random=0.25,
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_top_and_random_cells_are_known_ones() -> None:
    importance = np.arange(15, dtype=float).reshape(1, 3, 5)
    known = torch.ones(1, 3, 5, dtype=torch.bool)
    known[0, 2, 3:] = False
    top = chosen(importance, known, 4, rng())
    assert torch.nonzero(top[0].flatten()).flatten().tolist() == [9, 10, 11, 12]
    lowest = chosen(-importance, known, 4, rng())
    assert torch.nonzero(lowest[0].flatten()).flatten().tolist() == [0, 1, 2, 3]
    few = chosen(importance, known & (torch.arange(5) == 0), 4, rng())
    assert few.sum() == 3


def test_equals_are_chosen_at_random_each_as_often() -> None:
    known = torch.ones(3000, 1, 3, dtype=torch.bool)
    known[:, 0, 1] = False
    cells = chosen(np.zeros((3000, 1, 3)), known, 1, rng())
    counts = cells.sum(0).flatten().tolist()
    assert counts[1] == 0
    assert counts[0] + counts[2] == 3000
    assert abs(counts[0] - 1500) < 5 * 27.4  # five standard deviations


def test_the_interval_counts_episodes_not_observations() -> None:
    """100 copies of the two same episodes' values say no more than two values do."""
    values, episodes = np.tile([0.0, 1.0], 100), np.tile([3, 5], 100)
    assert interval(values, episodes, rng()) == (0.0, 1.0)
    low, high = interval(values, np.arange(200), rng())
    assert (0.4 < low < 0.5, 0.5 < high < 0.6) == (True, True)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.1, 0.3, "do matter more"), (-0.3, -0.1, "LESS"), (-0.1, 0.3, "no difference")],
)
def test_the_verdict_follows_the_interval(low: float, high: float, words: str) -> None:
    result = replace(CHECK, more_low=low, more_high=high)
    assert words in result.verdict
    assert result.lines()[-1] == result.verdict


def test_where_the_least_important_cells_matter_most_the_drawing_is_not_to_be_read() -> None:
    upside_down = replace(CHECK, kl_bottom=0.75)
    assert "drawn as LEAST important matter more" in upside_down.verdict
    assert "LEAST" in replace(upside_down, more_low=-0.1).verdict


def test_a_small_effect_is_not_printed_as_none() -> None:
    small = replace(CHECK, more=1.5e-7, more_low=1.25e-8, more_high=2.5e-7)
    assert "+1.5e-07, 95 % [+1.25e-08, +2.5e-07]" in small.lines()[0]


def test_hiding_cells_moves_the_policy_and_hiding_none_does_not() -> None:
    config = TrainConfig(task="Room-5x5", keys=("glyphs_crop",), **SMALL)
    model, observations = agent_and_crops(config)
    none = torch.zeros_like(observations["glyphs_crop"], dtype=torch.bool)
    shown = answers(model, observations)
    assert moved(model, observations, none, shown)[0].tolist() == [0, 0]
    kl, value = moved(model, observations, ~none, shown)
    assert (kl > 0).all()
    assert (value > 0).all()
    alone = none.clone()
    alone[:, 4, 4] = True
    by_cell = occlusion(model, observations)
    assert torch.equal(by_cell[:, 4, 4], moved(model, observations, alone, shown)[0])
    assert (
        by_cell[~known_cells(observations) & (observations["glyphs_crop"] == 2359)].abs().max() == 0
    )

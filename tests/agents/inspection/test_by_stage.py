"""What is important at each stage of an episode, from numbers worked by hand."""

import numpy as np
import pytest

from agents.inspection.by_stage import NONE_YET, Stage, lines, stages
from data.scoring.metrics import Estimate

NAN = float("nan")
EPISODES = np.array([0, 0, 0, 1, 1, 1])
NAMES = ["take the key", "open the door"]
ACHIEVED = np.array([[0, 0], [1, 0], [1, 1], [0, 0], [1, 0], [1, 1]], bool)
"""Two episodes that take the key and then open the door."""


def of(values: list[float], achieved: np.ndarray = ACHIEVED) -> list[Stage]:
    return stages({"doors": np.array(values)}, achieved, NAMES, EPISODES)


def test_each_stage_has_the_mean_of_its_observations_alone() -> None:
    before, taken, opened = of([0.2, 0.8, 0.1, 0.4, 0.6, 0.1])
    assert [one.furthest for one in (before, taken, opened)] == [NONE_YET, *NAMES]
    assert [one.observations for one in (before, taken, opened)] == [2, 2, 2]
    # Draws of two episodes: both the first, both the second, or one of each.
    assert before.importance["doors"] == pytest.approx((0.3, 0.2, 0.4))
    assert taken.importance["doors"] == pytest.approx((0.7, 0.6, 0.8))
    assert opened.importance["doors"] == pytest.approx((0.1, 0.1, 0.1))


def test_the_furthest_counts_where_an_earlier_one_was_skipped() -> None:
    skipped = np.array([[0, 1]] * 6, bool)
    (only,) = of([0.5] * 6, skipped)
    assert (only.furthest, only.observations) == ("open the door", 6)


def test_a_kind_in_sight_in_one_episode_has_no_importance() -> None:
    before, taken, _ = of([NAN, 0.8, 0.1, 0.4, 0.6, 0.1])
    assert before.importance["doors"] is None
    assert taken.importance["doors"] is not None


def test_without_subgoals_all_is_one_stage() -> None:
    (only,) = stages({"floor": np.full(6, 0.5)}, np.zeros((6, 0), bool), [], EPISODES)
    assert (only.furthest, only.observations) == (NONE_YET, 6)


def test_a_line_names_the_most_important_kind_first_and_none_out_of_sight() -> None:
    importance = {"floor": Estimate(0.1, 0.0, 0.2), "doors": Estimate(0.5, 0.4, 0.6), "key": None}
    title, line = lines([Stage("take the key", 7, importance)])
    assert title.startswith("importance by kind")
    assert lines([]) == []
    assert line == "take the key (7): doors 0.50 [0.40, 0.60], floor 0.10 [0.00, 0.20]"

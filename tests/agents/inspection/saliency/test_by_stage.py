"""What is important at each stage of an episode, from numbers worked by hand."""

import numpy as np
import pytest

from agents.inspection.saliency import by_subgoal
from agents.inspection.saliency.by_stage import HOW, NONE_YET, Stage, lines, rows, stages
from agents.inspection.saliency.by_subgoal import Progress
from data.scoring.metrics import Estimate

NAN = float("nan")
EPISODES = np.array([0, 0, 0, 1, 1, 1])
NAMES = ["take the key", "open the door"]
ACHIEVED = np.array([[0, 0], [1, 0], [1, 1], [0, 0], [1, 0], [1, 1]], bool)
"""Two episodes that take the key and then open the door."""
MOVES = np.array([0.1, 0.2, 0.5, 0.3, 0.4, 0.7])


@pytest.fixture(autouse=True)
def two_episodes_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_subgoal, "LEAST_EPISODES", 2)


def of(values: list[float], achieved: np.ndarray = ACHIEVED) -> list[Stage]:
    return stages({"doors": np.array(values)}, MOVES, Progress(NAMES, achieved, EPISODES))


def test_each_stage_has_the_mean_of_its_observations_alone() -> None:
    before, taken, opened = of([0.2, 0.8, 0.1, 0.4, 0.6, 0.1])
    assert [one.furthest for one in (before, taken, opened)] == [NONE_YET, *NAMES]
    assert [(one.observations, one.episodes) for one in (before, taken, opened)] == [(2, 2)] * 3
    # Draws of two episodes: both the first, both the second, or one of each.
    assert before.importance["doors"] == pytest.approx((0.3, 0.2, 0.4))
    assert taken.importance["doors"] == pytest.approx((0.7, 0.6, 0.8))
    assert opened.importance["doors"] == pytest.approx((0.1, 0.1, 0.1))
    assert [one.strongest for one in (before, taken, opened)] == pytest.approx([0.2, 0.3, 0.6])
    assert [one.skipped for one in (before, taken, opened)] == [0, 0, 0]


def test_where_an_earlier_subgoal_was_skipped_the_stage_says_so() -> None:
    half = np.array([[0, 1], [1, 1]] * 3, bool)
    (only,) = of([0.5] * 6, half)
    assert (only.furthest, only.observations, only.skipped) == ("open the door", 6, 0.5)


def test_a_kind_out_of_sight_is_told_from_one_in_sight_in_too_few_episodes() -> None:
    before, taken, opened = of([NAN, 0.8, NAN, 0.4, 0.6, NAN])
    assert before.importance == {"doors": None}
    assert taken.importance["doors"] is not None
    assert opened.importance == {}


def test_without_subgoals_all_is_one_stage() -> None:
    floor = {"floor": np.full(6, 0.5)}
    (only,) = stages(floor, MOVES, Progress([], np.zeros((6, 0), bool), EPISODES))
    assert (only.furthest, only.observations, only.episodes) == (NONE_YET, 6, 2)


def test_stages_are_told_in_lines_and_rows() -> None:
    importance = {"floor": Estimate(0.1, 0.0, 0.2), "doors": Estimate(0.5, 0.4, 0.6), "key": None}
    found = [
        Stage(NONE_YET, 7, 3, 0.0, 0.25, importance),
        Stage("open", 4, 2, 0.5, 1e-4, {"doors": Estimate(0.5, 0.4, 0.6)}),
    ]
    assert lines([]) == lines([], tabled=True) == []
    assert lines(found, tabled=True) == [HOW]
    assert lines(found) == [
        HOW,
        "none yet (7 observations of 3 episodes; strongest 0.25): doors 0.50 [0.40, 0.60], floor"
        " 0.10 [0.00, 0.20], too few episodes with key",
        "open (4 observations of 2 episodes, 50% without an earlier one; strongest 0.0001): doors"
        " 0.50 [0.40, 0.60]",
    ]
    columns, cells = rows(found)
    assert columns[-4:] == ["strongest, nats", "floor", "doors", "key"]
    assert cells == [
        [NONE_YET, "7", "3", "0%", "0.25", "0.10 [0.00, 0.20]", "0.50 [0.40, 0.60]", "few"],
        ["open", "4", "2", "50%", "0.0001", "–", "0.50 [0.40, 0.60]", "–"],
    ]

"""How importance moves with subgoals, from numbers worked by hand."""

import numpy as np
import pytest

from agents.inspection.saliency import by_subgoal
from agents.inspection.saliency.by_subgoal import Progress, Shift, lines, shifts
from data.scoring.metrics import Estimate

NAN = float("nan")
EPISODES = np.array([0, 0, 0, 1, 1, 1])
TAKEN = np.array([[0], [0], [1], [0], [1], [1]], bool)
"""Achieved in the third observation of the first episode and in the second of the other."""


@pytest.fixture(autouse=True)
def two_episodes_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_subgoal, "LEAST_EPISODES", 2)


def of(values: list[float]) -> list[Shift]:
    return shifts({"doors": np.array(values)}, Progress(["take the key"], TAKEN, EPISODES))


def test_what_is_as_important_in_every_episode_moves_for_sure() -> None:
    """.25 before and .75 after, whichever episodes are drawn."""
    (one,) = of([0.25, 0.25, 0.75, 0.25, 0.75, 0.75])
    assert (one.subgoal, one.kind) == ("take the key", "doors")
    assert one.before == pytest.approx((0.25, 0.25, 0.25))
    assert one.after == pytest.approx((0.75, 0.75, 0.75))
    assert one.more == pytest.approx((0.5, 0.5, 0.5))
    assert one.moved


def test_means_are_over_observations_and_intervals_over_episodes() -> None:
    """Before: .1, .3 and .8, of which the episodes' means are .2 and .8."""
    (one,) = of([0.1, 0.3, 0.2, 0.8, 0.5, 0.6])
    assert one.before == pytest.approx((0.4, 0.2, 0.8))
    assert one.after is not None
    assert one.after.value == pytest.approx(1.3 / 3)
    # Of the first episode alone .2 - .2 = 0, of the second .55 - .8 = -.25.
    assert one.more == pytest.approx((1.3 / 3 - 0.4, -0.25, 1.3 / 3 - 0.4), abs=1e-9)
    assert not one.moved


def test_what_is_out_of_sight_after_it_has_no_difference() -> None:
    (one,) = of([0.5, 0.5, NAN, 0.5, NAN, NAN])
    assert one.before == pytest.approx((0.5, 0.5, 0.5))
    assert (one.after, one.more, one.moved) == (None, None, False)


def test_one_episode_is_too_few() -> None:
    assert of([0.5, 0.5, 0.5, NAN, NAN, NAN]) == []


def test_a_subgoal_that_all_or_none_have_achieved_is_left_out() -> None:
    values = {"doors": np.arange(6.0)}
    for achieved in (np.ones((6, 1), bool), np.zeros((6, 1), bool)):
        assert shifts(values, Progress(["take the key"], achieved, EPISODES)) == []


def test_lines_tell_what_moved_and_what_did_not() -> None:
    sure = Estimate(0.5, 0.4, 0.6)
    moves = [
        Shift("take", "doors", Estimate(0.25, 0.2, 0.3), Estimate(0.75, 0.7, 0.8), sure),
        Shift("take", "floor", sure, sure, Estimate(0.0, -0.1, 0.1)),
        Shift("take", "tools", sure, None, None),
        Shift("take", "stairs", None, sure, None),
    ]
    assert lines(moves) == [
        "importance when “take” was achieved: doors from 0.25 to 0.75 (+0.50, 95 % [+0.40, +0.60]);"
        " tools 0.50 [0.40, 0.60] before, in sight in fewer than 2 episodes after; stairs 0.50"
        " [0.40, 0.60] after, in sight in fewer than 2 episodes before; no difference shown of"
        " floor"
    ]

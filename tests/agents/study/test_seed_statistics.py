"""The study's statistics against numbers worked by hand."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from agents.study import seed_statistics as statistics
from agents.study.seed_statistics import (
    area,
    compare,
    iqm,
    iqm_band,
    iqm_estimate,
    least_p,
    permutation_p,
    probability_of_improvement,
    reached,
    success_estimate,
)


def test_the_iqm_cuts_a_quarter_at_each_end() -> None:
    assert iqm([0, 1, 5]) == 2.0  # three values lose none
    assert iqm([9, 0, 2, 4, -50]) == 2.0  # of five the least and the greatest go: 0, 2, 4
    assert iqm([7, 1, 2, 100]) == 4.5
    values = np.random.default_rng(2).normal(size=(3, 11))
    np.testing.assert_allclose(iqm(values), stats.trim_mean(values, 0.25, axis=1))
    np.testing.assert_allclose(iqm(values, axis=0), stats.trim_mean(values, 0.25, axis=0))


def test_seeds_are_drawn_within_their_task() -> None:
    # Every draw holds three 0 and three 1, so their IQM (mean of the middle four) is always 1/2.
    estimate = iqm_estimate([np.zeros(3), np.ones(3)])
    assert estimate == (0.5, 0.5, 0.5)


def test_the_interval_is_the_bootstrap_s() -> None:
    # Two seeds, 0 and 1: the mean of a draw is 0, 1/2, 1 with chances 1/4, 1/2, 1/4.
    estimate = iqm_estimate([np.array([0.0, 1.0])])
    assert estimate == (0.5, 0.0, 1.0)
    scores = np.array([0.1, 0.4, 0.5, 0.9, 0.3, 0.2, 0.8])
    ours = iqm_estimate([scores], resamples=20_000)
    theirs = stats.bootstrap(
        (scores,), lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        method="percentile", n_resamples=20_000, rng=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    np.testing.assert_allclose((ours.low, ours.high), theirs, atol=0.02)


def test_seeds_that_agree_get_an_interval_of_their_episodes() -> None:
    estimate = success_estimate(np.ones(5), 100)
    assert estimate.value == 1.0
    # Wilson for 500 of 500: 1 / (1 + z^2 / 500).
    assert estimate.low == pytest.approx(1 / (1 + 1.959963984540054**2 / 500))
    assert estimate.high == 1.0
    assert success_estimate(np.array([0.0, 1.0]), 100) == (0.5, 0.0, 1.0)


def test_a_band_has_a_value_and_an_interval_at_each_time() -> None:
    curves = np.array([[0.0, 0.0], [0.0, 1.0]])
    band = iqm_band(curves)
    assert band.value.tolist() == [0.0, 0.5]
    assert band.low.tolist() == [0.0, 0.0]
    assert band.high.tolist() == [0.0, 1.0]


def test_the_probability_of_improvement_counts_pairs() -> None:
    # 2 > 1, 2 = 2, 2 < 3; 5 > all: (1 + .5 + 0 + 3) / 6.
    assert probability_of_improvement([2, 5], [1, 2, 3]) == pytest.approx(0.75)
    assert probability_of_improvement([1, 1], [1, 1, 1]) == 0.5
    x, y = np.random.default_rng(3).normal(size=(2, 7))
    u = stats.mannwhitneyu(x, y).statistic
    assert probability_of_improvement(x, y) == pytest.approx(u / 49)


def test_a_comparison_says_ahead_behind_or_tie() -> None:
    low, high = np.array([0.1, 0.2, 0.3]), np.array([0.7, 0.8, 0.9])
    mixed = np.array([0.0, 0.25, 0.95])
    assert compare([(high, low)]).verdict == "ahead"
    assert compare([(low, high)]).verdict == "behind"
    assert compare([(mixed, low)]).verdict == "tie"
    # Ahead on one task, level on another: three quarters on average.
    both = compare([(high, low), (np.ones(3), np.ones(2))])
    assert both.probability.value == 0.75
    assert both.seeds == (3, 2)
    # The second task is always 1/2, so the two ends of the first's 20 ways are as far off.
    assert both.p == pytest.approx(0.1)
    assert both.least == pytest.approx(2 / 200)
    assert both.verdict == "too few"
    # All of two seeds lie above all of three, and still that is no finding.
    assert compare([(high, low[:2])]).probability.low == 1.0
    assert compare([(high, low[:2])]).verdict == "too few"


def test_the_permutation_test_enumerates_all_splits() -> None:
    # 20 splits of six seeds in halves; the one seen and its mirror lie farthest apart.
    low, high = np.array([0.1, 0.2, 0.3]), np.array([0.7, 0.8, 0.9])
    assert permutation_p([(high, low)]) == pytest.approx(0.1)
    assert least_p([(3, 3)]) == pytest.approx(0.1)
    assert least_p([(5, 5)]) == pytest.approx(2 / 252)
    assert least_p([(2, 3)]) == pytest.approx(0.2)  # all of the two above, or all below
    assert permutation_p([(np.array([1.0, 1.0]), np.array([1.0, 1.0, 1.0]))]) == 1.0
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=4), rng.normal(size=5) + 0.7
    theirs = stats.mannwhitneyu(x, y, method="exact").pvalue
    assert permutation_p([(x, y)]) == pytest.approx(theirs)


def test_tasks_together_are_split_within_each() -> None:
    # Full order on both: of 20 * 20 splits only the one seen and its mirror are as far off.
    low, high = np.array([0.1, 0.2, 0.3]), np.array([0.7, 0.8, 0.9])
    assert permutation_p([(high, low)] * 2) == pytest.approx(2 / 400) == least_p([(3, 3)] * 2)
    # Ahead on one and behind on the other: nothing is farther off than 0.
    assert permutation_p([(high, low), (low, high)]) == 1.0


def test_more_ways_than_can_be_gone_through_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=5) + 0.8, rng.normal(size=7)
    exact = permutation_p([(x, y)])
    monkeypatch.setattr(statistics, "EXACT", 700)  # of 792
    assert permutation_p([(x, y)]) == pytest.approx(exact, abs=0.05)
    two = permutation_p([(x, y), (y, x + 1)])
    monkeypatch.setattr(statistics, "EXACT_TOGETHER", 10_000)
    assert permutation_p([(x, y), (y, x + 1)]) == pytest.approx(two, abs=0.03)


def test_where_there_is_no_difference_a_verdict_is_rare() -> None:
    # All 20 ways to rank three seeds and three: only the two that are fully ordered get one.
    called = []
    for c in combinations(range(6), 3):
        x = np.array(c, float)
        y = np.array([i for i in range(6) if i not in c], float)
        called.append(compare([(x, y)]).verdict != "tie")
    assert sum(called) == 2
    # Five and five: at most 5 % of 252.
    ranks = [np.array(c, float) for c in combinations(range(10), 5)]
    rest = [np.setdiff1d(np.arange(10.0), c) for c in ranks]
    assert (
        sum(compare([p], resamples=200).verdict != "tie" for p in zip(ranks, rest, strict=True))
        <= 12
    )


def test_the_area_is_the_mean_over_the_budget() -> None:
    # 0 to 1 over the first hundred steps, then 1 for three hundred: (50 + 300) / 400.
    assert area([0, 100, 400], [0, 1, 1]) == pytest.approx(0.875)
    assert area([100], [0.3]) == pytest.approx(0.3)


def test_equal_areas_are_equal_however_their_sum_is_rounded() -> None:
    steps = [0, 1, 2, 3, 4]
    one, other = [0, 0.1, 0.2, 0.3, 0], [0, 0.3, 0.2, 0.1, 0]
    assert area(steps, one) == area(steps, other)


def test_seeds_that_never_got_there_are_censored() -> None:
    estimate = reached([300, None, 100], 1000)
    assert (estimate.n, estimate.of, estimate.median, estimate.least, estimate.most) == (
        2,
        3,
        300,
        100,
        None,
    )
    assert reached([None, 5, None], 1000).median is None
    assert reached([3, None], 1000).median is None  # the middle of 3 and "beyond"
    assert reached([2, 4], 1000).median == 3
    assert reached([7, 2, 3], 1000).most == 7
    assert reached([None, None], 1000).least is None

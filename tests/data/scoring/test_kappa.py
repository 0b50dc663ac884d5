"""Kappas against published and hand-computed examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from data.scoring.kappa import (
    alpha,
    alpha_estimate,
    cohen,
    cohen_estimate,
    fleiss,
    fleiss_estimate,
)

FLEISS_1971 = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)
"""The worked example on Wikipedia's page of Fleiss' kappa: 10 items, 14 raters, kappa 0.210."""


def test_cohen_by_hand() -> None:
    # 20 both yes, 15 both no, 5 yes/no, 10 no/yes: p_o .7, p_e .5 * .6 + .5 * .4 = .5
    first = ["y"] * 25 + ["n"] * 25
    second = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohen(first, second) == pytest.approx(0.4)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1))
def test_cohen_agrees_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    first, second = zip(*pairs, strict=True)
    if len({*first, *second}) > 1:
        assert cohen(first, second) == pytest.approx(cohen_kappa_score(first, second), nan_ok=True)


def test_fleiss_published() -> None:
    assert fleiss(FLEISS_1971) == pytest.approx(0.210, abs=5e-4)


def test_fleiss_of_two_raters_who_always_agree() -> None:
    assert fleiss(np.array([[2, 0], [0, 2], [2, 0]])) == 1
    assert np.isnan(fleiss(np.array([[2, 0], [2, 0]])))


def test_fleiss_needs_the_same_number_of_ratings() -> None:
    with pytest.raises(ValueError, match="same number"):
        fleiss(np.array([[2, 0], [1, 2]]))


def test_intervals_hold_the_value_and_are_clustered() -> None:
    rng = np.random.default_rng(0)
    first = list(rng.choice(list("abc"), 120))
    second = [a if rng.random() < 0.8 else "a" for a in first]
    alone = cohen_estimate(first, second, [str(i) for i in range(120)])
    few = cohen_estimate(first, second, [str(i // 30) for i in range(120)])
    assert alone.value == few.value == cohen(first, second)
    assert alone.low < alone.value < alone.high
    many = fleiss_estimate(FLEISS_1971, [str(i) for i in range(10)])
    assert many.value == fleiss(FLEISS_1971)
    assert many.low < many.value < many.high


def test_no_items_no_kappa() -> None:
    assert np.isnan(cohen_estimate([], [], [])).all()
    assert np.isnan(fleiss_estimate(np.zeros((0, 3), np.int64), [])).all()


def test_people_who_always_agree_are_not_known_to() -> None:
    both = list("abcab")
    assert cohen_estimate(both, both, both)[0] == 1
    assert np.isnan(cohen_estimate(both, both, both)[1:]).all()


def test_krippendorffs_own_example() -> None:
    """Krippendorff (2011), example C: four observers, twelve units, missing data; alpha 0.743."""
    data = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
    ratings = np.array(
        [[[*unit].count(c) for c in range(1, 6)] for unit in zip(*data, strict=True)]
    )
    assert alpha(ratings) == pytest.approx(0.743, abs=0.0005)


def test_alpha_by_hand() -> None:
    """Two people, three items: alike twice (a, b), different once.

    Margins: a 3, b 3, n = 6; observed 2 ordered pairs that differ, expected 36 - 18 = 18:
    1 - 5 * 2 / 18 = 4/9. An item with one rating changes nothing.
    """
    ratings = np.array([[2, 0], [0, 2], [1, 1]])
    assert alpha(ratings) == pytest.approx(4 / 9)
    assert alpha(np.array([*ratings.tolist(), [1, 0], [0, 0]])) == pytest.approx(4 / 9)
    assert np.isnan(alpha(np.array([[2, 0], [3, 0]])))
    estimate = alpha_estimate(ratings, ["e0", "e1", "e2"])
    assert estimate.value == pytest.approx(4 / 9)
    assert estimate.low < 4 / 9 < estimate.high

"""Pairs of judges on the same transitions."""

from data.scoring.compare import Comparison, compare
from data.scoring.metrics import Estimate
from data.scoring.reference import engine_reference
from data.scoring.score import score_answers
from tests.support.key_and_door import TASK, key_and_door_rows

REFERENCE = engine_reference(key_and_door_rows(24), {TASK.id: TASK})


def test_the_better_one_comes_first_with_what_it_alone_has_right() -> None:
    right = REFERENCE.truth
    worse = right.copy()
    worse[:12] = 0  # four keys and four doors are missed
    lines = [score_answers(n, "", REFERENCE, a) for n, a in (("w", worse), ("r", right))]
    (pair,) = compare(REFERENCE, lines)
    assert (pair.first, pair.second) == (1, 0)
    assert (pair.only_first, pair.only_second) == (8, 0)
    assert pair.p == 2 * 0.5**8  # McNemar, exact, of one pair
    # MCC of 16 yes and 8 no with eight missed: (8 * 8 - 0 * 8) / sqrt(8 * 16 * 8 * 16).
    assert pair.difference.value == 0.5
    assert not pair.tie
    assert pair.to_dict()["difference"]["value"] == round(pair.difference.value, 5)


def test_equal_judges_are_a_tie_and_many_pairs_make_p_larger() -> None:
    lines = [score_answers(str(i), "", REFERENCE, REFERENCE.truth) for i in range(3)]
    pairs = compare(REFERENCE, lines)
    assert [(c.first, c.second) for c in pairs] == [(0, 1), (0, 2), (1, 2)]
    assert all(c.tie and c.p == 1 for c in pairs)


def test_the_interval_decides_and_without_one_p() -> None:
    def tie(low: float, high: float, p: float, value: float = 0.1) -> bool:
        return Comparison(0, 1, Estimate(value, low, high), 0, 0, p).tie

    nan = float("nan")
    assert tie(-0.01, 0.2, 0.001)
    assert not tie(0.01, 0.2, 0.9)
    assert tie(nan, nan, 0.05)
    assert not tie(nan, nan, 0.04)
    assert tie(nan, nan, 0.04, value=0.0)

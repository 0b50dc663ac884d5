"""The numbers of the table, against ones worked out by hand and by scikit-learn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from data.scoring import metrics

PAPER_DESIGN = np.repeat([1, 1, 0], [85, 85, 86])
"""256 transitions, three classes evenly: two of them achieve a subgoal."""


def test_confusion_counts_truth_by_answer_in_each_cluster() -> None:
    truth, answer = [1, 1, 1, 0, 0, 0, 0], [1, 0, -1, 1, 0, 0, -1]
    counts = metrics.confusion(truth, answer, [2, 0, 0, 0, 0, 2, 2], 5)
    assert counts.shape == (5, 2, 3)
    assert counts[0].tolist() == [[1, 1, 0], [1, 0, 1]]
    assert counts[2].tolist() == [[1, 0, 1], [0, 1, 0]]
    assert counts.sum() == 7


def confusion(truth: npt.ArrayLike, answer: npt.ArrayLike) -> metrics.Counts:
    """(2, 3) counts of one cluster."""
    return metrics.confusion(truth, answer, np.zeros(np.size(truth), int), 1)[0]


def test_always_yes_on_the_papers_design() -> None:
    # The reference's arithmetic: P .67, R 1, F1 .80, accuracy .67, and it knows nothing (MCC 0).
    counts = confusion(PAPER_DESIGN, np.ones(256, int))
    paper = {k: round(float(f(counts)), 2) for k, f in metrics.PAPER.items()}
    assert paper == {
        "paper_f1": 0.80,
        "paper_accuracy": 0.66,  # 170 / 256
        "paper_precision": 0.66,
        "paper_recall": 1.0,
    }
    assert metrics.mcc(counts) == 0
    assert metrics.balanced_accuracy(counts) == 0.5


def test_always_no_scores_the_papers_third() -> None:
    counts = confusion(PAPER_DESIGN, np.zeros(256, int))
    assert round(float(metrics.PAPER["paper_accuracy"](counts)), 2) == 0.34
    assert np.isnan(metrics.precision(counts))
    assert metrics.f1(counts) == 0
    assert metrics.mcc(counts) == 0


def test_unreadable_is_no_for_the_paper_and_neither_for_us() -> None:
    # Truth: 3 yes, 2 no. Answers: yes, yes, lost | no, lost.
    counts = confusion([1, 1, 1, 0, 0], [1, 1, -1, 0, -1])
    assert metrics.PAPER["paper_accuracy"](counts) == 4 / 5  # the lost "no" counts as right
    assert metrics.accuracy(counts) == 3 / 5
    assert metrics.balanced_accuracy(counts) == (2 / 3 + 1 / 2) / 2
    assert metrics.unreadable(counts) == 2 / 5
    assert metrics.precision(counts) == 1
    # R_K with three answers: right 3, s 5; sum t p = 3*2 + 2*1 = 8; 3*5 - 8 = 7;
    # s^2 - sum t^2 = 25 - 13 = 12; s^2 - sum p^2 = 25 - (1 + 4 + 4) = 16.
    assert metrics.mcc(counts) == pytest.approx(7 / np.sqrt(12 * 16))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=40))
def test_agrees_with_scikit_learn_where_all_is_readable(pairs: list[tuple[int, int]]) -> None:
    truth, answer = np.array(pairs).T
    counts = confusion(truth, answer)
    assert metrics.accuracy(counts) == pytest.approx(sk.accuracy_score(truth, answer))
    if len(set(truth)) == 2:
        assert metrics.mcc(counts) == pytest.approx(sk.matthews_corrcoef(truth, answer))
        assert metrics.balanced_accuracy(counts) == pytest.approx(
            sk.balanced_accuracy_score(truth, answer)
        )
        p, r, f, _ = sk.precision_recall_fscore_support(
            truth, answer, average="binary", zero_division=0
        )
        assert np.nan_to_num(metrics.precision(counts)) == pytest.approx(p)
        assert metrics.recall(counts) == pytest.approx(r)
        assert metrics.f1(counts) == pytest.approx(f)


@given(st.lists(st.integers(-1, 1), min_size=2, max_size=30), st.integers(0, 1))
def test_a_lost_answer_never_helps(answers: list[int], truth: int) -> None:
    """Turning an unreadable answer into the right one cannot lower accuracy or recall."""
    lost = confusion([truth, *([1] * len(answers))], [-1, *answers])
    readable = confusion([truth, *([1] * len(answers))], [truth, *answers])
    assert metrics.accuracy(readable) > metrics.accuracy(lost)
    assert metrics.recall(readable) >= metrics.recall(lost)


def test_precision_at_the_natural_rate() -> None:
    # Half are positive; recall 0.8, false alarms 0.1. At a rate of 8 %:
    # 0.8 * 0.08 / (0.8 * 0.08 + 0.1 * 0.92) = 0.064 / 0.156
    counts = np.array([[90.0, 10, 0], [20, 80, 0]])
    assert metrics.precision_at(counts, 0.08) == pytest.approx(0.064 / 0.156)
    assert metrics.precision_at(counts, 0.5) == pytest.approx(metrics.precision(counts))


def test_metrics_broadcast_over_leading_axes() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, (5, 7, 2, 3)).astype(float)
    for metric in [*metrics.PAPER.values(), *metrics.HONEST.values()]:
        assert metric(counts).shape == (5, 7)
        np.testing.assert_allclose(metric(counts)[3, 2], metric(counts[3, 2]))


def test_resampling_keeps_an_episode_together() -> None:
    # Two episodes: one all right, one all wrong. Every resample holds whole episodes only.
    clusters = np.array([[[5.0, 0, 0], [5, 0, 0]], [[0, 7, 0], [0, 7, 0]]])
    drawn = metrics.resample(clusters, 200, np.random.default_rng(1))
    assert {tuple(d.ravel()) for d in drawn} == {
        (10, 0, 0, 10, 0, 0),
        (5, 7, 0, 5, 7, 0),
        (0, 14, 0, 0, 14, 0),
    }


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Of 300 samples with true recall 0.7, about 95 % of the intervals hold 0.7."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(300):
        hits = rng.random(100) < 0.7
        by_cluster = np.zeros((100, 2, 3))
        by_cluster[np.arange(100), 1, np.where(hits, 1, 0)] = 1
        drawn = metrics.resample(by_cluster, 300, rng)
        e = metrics.estimate(metrics.recall, by_cluster, drawn)
        assert e.value == pytest.approx(hits.mean())
        held += e.low <= 0.7 <= e.high
    assert 0.90 <= held / 300 <= 0.98


def test_a_perfect_score_still_has_an_interval() -> None:
    by_cluster = np.zeros((20, 2, 3))
    by_cluster[:, 1, 1] = 3
    drawn = metrics.resample(by_cluster, 50, np.random.default_rng(0))
    value, low, high = metrics.estimate(metrics.recall, by_cluster, drawn)
    # Wilson's lower end for 20 of 20 is 1 / (1 + z^2 / 20).
    assert (value, high) == (1.0, 1.0)
    assert low == pytest.approx(1 / (1 + 1.959964**2 / 20), abs=1e-6)


@pytest.mark.parametrize("answer", [metrics.NO, metrics.YES, None])
def test_no_metric_claims_to_be_known_exactly(answer: int | None) -> None:
    """20 episodes of a judge that always says the same, or is always right."""
    by_cluster = np.zeros((20, 2, 3))
    for truth in (metrics.NO, metrics.YES):
        by_cluster[:, truth, truth if answer is None else answer] = 3
    drawn = metrics.resample(by_cluster, 50, np.random.default_rng(0))
    for name, metric in (metrics.PAPER | metrics.HONEST).items():
        value, low, high = metrics.estimate(metric, by_cluster, drawn)
        share = not name.endswith(("mcc", "f1", "balanced_accuracy"))
        if share and value in (0, 1):
            assert (low, high) == metrics.wilson(20 * value, 20), name
        else:
            assert np.isnan([low, high]).all(), name


def test_percentiles() -> None:
    values = np.array([np.nan, *range(41)])
    assert metrics.percentiles(values) == (1, 39)
    assert np.isnan(metrics.percentiles(np.array([0.1 + 0.2, 0.3, np.nan]))).all()
    assert np.isnan(metrics.percentiles(np.array([np.nan]))).all()


def test_wilson() -> None:
    # Newcombe (1998), table I: 81 of 263 -> 0.2553 to 0.3662.
    low, high = metrics.wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert metrics.wilson(0, 0) == (0.0, 1.0)


def test_mcnemar_counts_only_where_they_differ() -> None:
    first = [True] * 6 + [False] * 1 + [True] * 10
    second = [False] * 6 + [True] * 1 + [True] * 10
    only_first, only_second, p = metrics.mcnemar(first, second)
    # Two-sided exact: 2 * (C(7,0) + C(7,1)) / 2^7 = 16 / 128
    assert (only_first, only_second, p) == (6, 1, pytest.approx(0.125))
    assert metrics.mcnemar([True], [True]) == (0, 0, 1.0)


def test_holm() -> None:
    # Sorted .01 .03 .04 times 3, 2, 1 -> .03 .06 .06 (never decreasing).
    assert metrics.holm([0.04, 0.01, 0.03]).tolist() == pytest.approx([0.06, 0.03, 0.06])


def test_brier_and_reliability() -> None:
    truth, confidence = [1, 0, 1, 1], [0.9, 0.2, 0.9, 0.2]
    assert metrics.brier(truth, confidence) == pytest.approx((0.01 + 0.04 + 0.01 + 0.64) / 4)
    curve = metrics.reliability(truth, confidence, bins=5)
    assert [(round(b.confidence, 6), b.frequency, b.n) for b in curve] == [
        (0.2, 0.5, 2),
        (0.9, 1.0, 2),
    ]
    assert metrics.calibration_error(curve) == pytest.approx((0.3 * 2 + 0.1 * 2) / 4)
    assert metrics.reliability([1], [1.0], bins=5)[0].n == 1


def test_flip_rate_is_the_chance_that_two_repeats_disagree() -> None:
    answers = np.array([[1, 1, 0], [1, 0, 0], [1, 0, -1]], dtype=np.int8)
    # Of 3 pairs a question: none, two, two disagree.
    assert metrics.flip_rate(answers) == pytest.approx((0 + 2 / 3 + 2 / 3) / 3)
    assert np.isnan(metrics.flip_rate(answers[:1]))

"""The numbers that say how well a judge judges, as pure functions of counts.

Everything starts from counts `(..., 2, 3)`: axis -2 is the truth (no, yes), axis -1 the answer
(no, yes, unreadable). Leading axes are whatever is compared: subgoals, resamples. So one function
gives the point value and all its resamples at once.

Two ways of reading an unreadable answer. The paper's four numbers (`paper_*`) count it as "no",
as its authors did; all others count it as neither: never right, never a "yes".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
"""Resamples of a bootstrap; the ends of its interval are then good to about 0.003."""

Counts = npt.NDArray[np.float64]
Values = npt.NDArray[np.float64]

NO, YES, UNREADABLE = 0, 1, 2

_AT_ONCE = 1 << 16
"""Rows that are counted together."""
_WEIGHTS = 1 << 18
"""Weights of resamples in memory at once."""

Z = 1.959963984540054
"""97.5 % of a standard normal lie below it."""


class Estimate(NamedTuple):
    """A number with its 95 % interval; NaN where one or both are not defined."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """Returns plain values for JSON, see `number`."""
        return {name: number(value) for name, value in self._asdict().items()}


def number(value: float) -> float | None:
    """Returns a number for JSON: five digits after the point, None for NaN."""
    return None if np.isnan(value) else round(float(value), 5)


def confusion(
    truth: npt.ArrayLike, answer: npt.ArrayLike, cluster: npt.ArrayLike, clusters: int
) -> Counts:
    """Returns counts (K, 2, 3) by cluster, of which there are K.

    Args:
        truth: (N,) in {0, 1}.
        answer: (N,) in {1 yes, 0 no, -1 unreadable}.
        cluster: (N,) which one each is of, from 0.
        clusters: K.
    """
    t, a, of = (np.asarray(x) for x in (truth, answer, cluster))
    counts = np.zeros(clusters * 6, np.int64)
    for i in range(0, len(t), _AT_ONCE):  # in wide integers only a part at a time
        some = slice(i, i + _AT_ONCE)
        answered = np.where(a[some] < 0, UNREADABLE, a[some])
        cell = of[some].astype(np.int64) * 6 + t[some].astype(np.int64) * 3 + answered
        counts += np.bincount(cell, minlength=clusters * 6)
    return counts.reshape(-1, 2, 3).astype(np.float64)


def _ratio(top: npt.ArrayLike, bottom: npt.ArrayLike) -> Values:
    """Returns top / bottom, NaN where bottom is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(top, float), np.asarray(bottom, float))
    out = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out


def precision(c: Counts) -> Values:
    """Returns the share of the "yes" answers that are true; NaN without any."""
    return _ratio(c[..., YES, YES], c[..., YES].sum(-1))


def recall(c: Counts) -> Values:
    """Returns the share of the achieved that got a "yes"; an unreadable answer is a miss."""
    return _ratio(c[..., YES, YES], c[..., YES, :].sum(-1))


def f1(c: Counts) -> Values:
    """Returns 2 TP / (yes answers + achieved); NaN only where there is neither."""
    return _ratio(2 * c[..., YES, YES], c[..., YES].sum(-1) + c[..., YES, :].sum(-1))


def accuracy(c: Counts) -> Values:
    """Returns the share of all answers that are right."""
    return _ratio(c[..., NO, NO] + c[..., YES, YES], c.sum((-2, -1)))


def balanced_accuracy(c: Counts) -> Values:
    """Returns the mean of the two classes' shares answered rightly; 0.5 for a constant answer."""
    return (_ratio(c[..., NO, NO], c[..., NO, :].sum(-1)) + recall(c)) / 2


def mcc(c: Counts) -> Values:
    """Returns Matthews' correlation coefficient, in [-1, 1]; 0 for a constant answer.

    With unreadable answers it is Gorodkin's R_K (2004) with "unreadable" as a third answer that is
    never true; without them it is the usual binary coefficient. NaN where all truths are equal.
    """
    total = c.sum((-2, -1))
    truths = c.sum(-1)
    answers = c.sum(-2)
    right = c[..., NO, NO] + c[..., YES, YES]
    covariance = right * total - (truths * answers[..., :2]).sum(-1)
    truth_var = total**2 - (truths**2).sum(-1)
    answer_var = total**2 - (answers**2).sum(-1)
    value = _ratio(covariance, np.sqrt(truth_var * answer_var))
    return np.where((answer_var == 0) & (truth_var != 0), 0.0, value)


def precision_at(c: Counts, rate: float) -> Values:
    """Returns the precision if a share `rate` of all transitions achieved something (Bayes).

    The classes' own rates of "yes" are kept. NaN if nothing is ever answered "yes".
    """
    hit = recall(c) * rate
    false = _ratio(c[..., NO, YES], c[..., NO, :].sum(-1)) * (1 - rate)
    return _ratio(hit, hit + false)


def unreadable(c: Counts) -> Values:
    """Returns the share of the answers that cannot be read."""
    return _ratio(c[..., UNREADABLE].sum(-1), c.sum((-2, -1)))


def as_the_paper_read(c: Counts) -> Counts:
    """Returns the counts with every unreadable answer made a "no", as the paper's code did."""
    out = c.copy()
    out[..., NO] += out[..., UNREADABLE]
    out[..., UNREADABLE] = 0
    return out


def _paper(metric: Callable[[Counts], Values]) -> Callable[[Counts], Values]:
    return lambda c: metric(as_the_paper_read(c))


PAPER: Mapping[str, Callable[[Counts], Values]] = {
    "paper_f1": _paper(f1),
    "paper_accuracy": _paper(accuracy),
    "paper_precision": _paper(precision),
    "paper_recall": _paper(recall),
}
"""The paper's four numbers, for counts of "any subgoal". It prints 0/0 as 0; here it is NaN."""

_SHARES = frozenset({*PAPER.values(), precision, recall, accuracy, unreadable}) - {
    PAPER["paper_f1"]
}

HONEST: Mapping[str, Callable[[Counts], Values]] = {
    "mcc": mcc,
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "unreadable": unreadable,
}


def estimate(metric: Callable[[Counts], Values], by_cluster: Counts, drawn: Counts) -> Estimate:
    """Returns the metric of all clusters together, with its percentile interval over resamples.

    A metric that is the same in every resample, as all are of a faultless judge, has no such
    interval, see `percentiles`. A share of 0 or 1 then gets Wilson's over the clusters in which it
    is defined; MCC, F1 and balanced accuracy are no shares and get none.

    Args:
        metric: one of the functions above.
        by_cluster: (K, 2, 3) counts of each cluster (episode).
        drawn: (R, 2, 3) counts of each resample, from `resample`.
    """
    value = float(metric(by_cluster.sum(0)))
    if np.isnan(value):
        return Estimate(value, np.nan, np.nan)
    low, high = percentiles(metric(drawn))
    if np.isnan(low) and value in (0.0, 1.0) and metric in _SHARES:
        alone = np.asarray(metric(by_cluster))
        n = int(np.count_nonzero(~np.isnan(alone)))
        low, high = wilson(value * n, n)
    return Estimate(value, low, high)


def percentiles(values: Values) -> tuple[float, float]:
    """Returns the ends of the 95 % percentile interval over resamples (R,), NaN left out.

    NaN where nothing is left, or nothing differs: that says nothing of what was not seen.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan
    low, high = np.quantile(values, [0.025, 0.975])
    return (float(low), float(high)) if high - low > 1e-9 else (np.nan, np.nan)


def wilson(hits: float, n: int) -> tuple[float, float]:
    """Returns Wilson's 95 % interval (1927) of the share `hits` / `n`; [0, 1] without trials."""
    if n == 0:
        return 0.0, 1.0
    share, z = hits / n, Z
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def resample(counts_by_cluster: Counts, resamples: int, rng: np.random.Generator) -> Counts:
    """Returns sums of clusters drawn with replacement: (K, ...) -> (R, ...).

    A cluster is an episode: its transitions come or stay away together.
    """
    k = len(counts_by_cluster)
    at_once = max(1, _WEIGHTS // max(1, k))
    sums = []
    for i in range(0, resamples, at_once):
        size = min(at_once, resamples - i)
        weights = rng.multinomial(k, np.full(k, 1 / k), size=size).astype(np.float64)
        sums.append(np.tensordot(weights, counts_by_cluster, axes=1))
    return np.concatenate(sums)


def mcnemar(first_right: npt.ArrayLike, second_right: npt.ArrayLike) -> tuple[int, int, float]:
    """Returns the numbers of items that only the first, and only the second, has right, and p.

    p is exact and two-sided; 1 where they never differ.
    """
    from scipy import stats  # takes a second to import, and not every command compares

    a = np.asarray(first_right, bool)
    b = np.asarray(second_right, bool)
    first, second = int((a & ~b).sum()), int((b & ~a).sum())
    if first + second == 0:
        return first, second, 1.0
    return first, second, float(stats.binomtest(first, first + second, 0.5).pvalue)


def holm(p: npt.ArrayLike) -> Values:
    """Returns p-values adjusted for being one of several (Holm 1979), in their order."""
    p = np.asarray(p, float)
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(adjusted, 1.0)
    return out


def brier(truth: npt.ArrayLike, confidence: npt.ArrayLike) -> float:
    """Returns the mean squared distance of the probability of "yes" from the truth; 0 is best."""
    t, p = np.asarray(truth, float), np.asarray(confidence, float)
    return float(np.mean((p - t) ** 2)) if len(t) else float("nan")


class Bin(NamedTuple):
    """One bin of a reliability curve."""

    confidence: float
    """Mean probability of "yes" in it."""
    frequency: float
    """Share that was so."""
    n: int


def reliability(truth: npt.ArrayLike, confidence: npt.ArrayLike, bins: int = 10) -> list[Bin]:
    """Returns confidence against frequency in equal bins of [0, 1]; empty bins are left out."""
    t, p = np.asarray(truth, float), np.asarray(confidence, float)
    which = np.minimum((p * bins).astype(int), bins - 1)
    return [
        Bin(float(p[which == i].mean()), float(t[which == i].mean()), int((which == i).sum()))
        for i in range(bins)
        if (which == i).any()
    ]


def calibration_error(curve: list[Bin]) -> float:
    """Returns the expected calibration error: a curve's mean distance from the diagonal."""
    n = sum(b.n for b in curve)
    return sum(abs(b.confidence - b.frequency) * b.n for b in curve) / n if n else float("nan")


def flip_rate(answers: npt.NDArray[np.int8]) -> float:
    """Returns the share of questions whose answer changed, from answers (S repeats, N questions).

    The chance that two different repeats of the same question disagree, averaged over questions.
    NaN for a single repeat.
    """
    repeats = len(answers)
    if repeats < 2:
        return float("nan")
    counts = np.stack([(answers == value).sum(0) for value in (-1, 0, 1)])
    agreeing = (counts * (counts - 1)).sum(0)
    return float(np.mean(1 - agreeing / (repeats * (repeats - 1))))

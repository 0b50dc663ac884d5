"""Estimates what a few seeds of several agents show: IQM, intervals, which is better, how soon.

The measures of Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical
Precipice" (NeurIPS 2021): the interquartile mean, bootstrap intervals that draw seeds anew within
each task, and the probability of improvement. Their package `rliable` has them too; it brings five
others with it and rests since 2024, so they are written here.

Scores of one agent are a list of arrays, one a task, each (S seeds, ...). Seeds may differ in
number from task to task.

An interval from S seeds knows S values and no more. With S = 3 there are ten different draws, so
a "95 %" percentile interval is at most as wide as the three values lie apart and covers less than
its name; it shows how much the seeds differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.scoring.metrics import RESAMPLES, Estimate, wilson

Values = npt.NDArray[np.float64]

LEVEL = (0.025, 0.975)
"""The quantiles that bound an interval."""


def iqm(values: npt.ArrayLike, axis: int = -1) -> Values:
    """Returns the mean of what is left when a quarter of the values is cut off at each end.

    As scipy's `trim_mean(values, 0.25)`, floor(n / 4) values go at each end: of 3 values none, so
    that their IQM is their mean; of 5 the least and the greatest.
    """
    ordered = np.sort(np.asarray(values, float), axis=axis)
    n = ordered.shape[axis]
    cut = n // 4
    return np.asarray(ordered.take(np.arange(cut, n - cut), axis=axis).mean(axis=axis))


def draw(scores: Values, resamples: int, rng: np.random.Generator) -> Values:
    """Draws seeds with replacement; returns (R, S, ...) of scores (S, ...).

    Args:
        scores: one a seed.
        resamples: R.
        rng: of the draws.
    """
    s = len(scores)
    return scores[rng.integers(0, s, (resamples, s))]


def iqm_estimate(tasks: Sequence[Values], seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Returns the IQM of all scores of one agent together, with its stratified bootstrap interval.

    Args:
        tasks: (S,) scores of each task.
        seed: of the draws.
        resamples: how many.
    """
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([draw(scores, resamples, rng) for scores in tasks], axis=1)
    low, high = np.quantile(iqm(drawn), LEVEL)
    return Estimate(float(iqm(np.concatenate(tasks))), float(low), float(high))


def success_estimate(rates: Values, episodes: int, seed: int = 0) -> Estimate:
    """Returns the IQM of success rates (S,), each measured on so many episodes.

    Where all seeds agree the bootstrap has no width, which would say that nothing else can happen;
    the interval is then Wilson's over all their episodes.
    """
    chances = iqm_estimate([rates], seed)
    if chances.low < chances.high:
        return chances
    n = episodes * len(rates)
    return Estimate(chances.value, *wilson(chances.value * n, n))


class Band(NamedTuple):
    """A curve with its interval, (T,) each."""

    value: Values
    low: Values
    high: Values


def iqm_band(curves: Values, seed: int = 0, resamples: int = RESAMPLES) -> Band:
    """Returns the IQM of curves (S, T) over seeds, with pointwise bootstrap intervals."""
    drawn = draw(curves, resamples, np.random.default_rng(seed))
    low, high = np.quantile(iqm(drawn, axis=1), LEVEL, axis=0)
    return Band(iqm(curves, axis=0), low, high)


def probability_of_improvement(x: npt.ArrayLike, y: npt.ArrayLike) -> Values:
    """Returns P(X > Y) + P(X = Y) / 2 over all pairs of seeds: x (..., n), y (..., m) -> (...).

    Mann and Whitney's U over n m. 1/2: no difference.
    """
    a, b = np.asarray(x, float)[..., :, None], np.asarray(y, float)[..., None, :]
    return np.asarray(((a > b) + 0.5 * (a == b)).mean((-2, -1)))


LEAST_SEEDS = 3
"""Of each agent, for a verdict: drawing again from one or two shows nothing about others."""
SURE = 0.05
"""The greatest p of a verdict, where there are seeds enough for so small a one."""
EXACT = 20_000
"""Ways to split the seeds of one task that are gone through; of more, so many are drawn."""
EXACT_TOGETHER = 1_000_000
"""Likewise of all tasks together."""


class Comparison(NamedTuple):
    """Whether one agent does better than another."""

    probability: Estimate
    """That a seed of the first does better than one of the second; mean over tasks."""
    p: float
    """Of a probability as far from 1/2 if the agents were one, see `permutation_p`."""
    least: float
    """The smallest p that so many seeds can give."""
    seeds: tuple[int, int]
    """Fewest seeds of each, over tasks."""

    @property
    def verdict(self) -> str:
        """One of `ahead`, `behind`, `tie` and `too few`.

        `ahead` or `behind` where the interval leaves out 1/2 and p is at most `SURE`, or as small
        as it can be; else `tie`. `too few` where an agent has fewer than `LEAST_SEEDS`. Three seeds
        against three get a verdict where all of the one lie above all of the other: where there is
        no difference, one time in ten.
        """
        if min(self.seeds) < LEAST_SEEDS:
            return "too few"
        if self.p > max(SURE, self.least) + 1e-12:
            return "tie"
        if self.probability.low > 0.5:
            return "ahead"
        if self.probability.high < 0.5:
            return "behind"
        return "tie"


def compare(
    pairs: Sequence[tuple[Values, Values]], seed: int = 0, resamples: int = RESAMPLES
) -> Comparison:
    """Returns the probability of improvement of the first of each pair over the second.

    Args:
        pairs: for each task the scores (n,) of the one agent and (m,) of the other.
        seed: of the draws.
        resamples: how many.
    """
    rng = np.random.default_rng(seed)
    value = np.mean([probability_of_improvement(x, y) for x, y in pairs])
    drawn = np.mean(
        [
            probability_of_improvement(draw(x, resamples, rng), draw(y, resamples, rng))
            for x, y in pairs
        ],
        axis=0,
    )
    low, high = np.quantile(drawn, LEVEL)
    return Comparison(
        Estimate(float(value), float(low), float(high)),
        permutation_p(pairs, seed),
        least_p([(len(x), len(y)) for x, y in pairs]),
        (min(len(x) for x, _ in pairs), min(len(y) for _, y in pairs)),
    )


def permutation_p(pairs: Sequence[tuple[Values, Values]], seed: int = 0) -> float:
    """Returns the share of ways to split the seeds with a probability as far from 1/2, two-sided.

    Seeds are split anew within each task, and the probability of improvement is the mean over
    tasks. Exact for up to `EXACT` ways a task and `EXACT_TOGETHER` in all, else of so many drawn,
    the one seen among them. With 3 and 3 seeds of one task it is never below 2/20 = .10, with 5
    and 5 never below 2/252 = .008.
    """
    rng = np.random.default_rng(seed)
    splits = [_splits(x, y, rng) for x, y in pairs]
    measured = float(np.mean([probability_of_improvement(x, y) for x, y in pairs]))
    if math.prod(map(len, splits)) <= EXACT_TOGETHER:
        chances = reduce(np.add.outer, splits).ravel() / len(pairs)
    else:
        drawn = np.mean([rng.choice(split, EXACT_TOGETHER - 1) for split in splits], axis=0)
        chances = np.append(drawn, measured)
    return float((np.abs(chances - 0.5) >= abs(measured - 0.5) - 1e-12).mean())


def _splits(x: Values, y: Values, rng: np.random.Generator) -> Values:
    """Returns the probability of improvement, (K,), of the ways to split the seeds of both."""
    both = np.concatenate([x, y])
    n, total = len(x), len(both)
    if math.comb(total, n) <= EXACT:
        first = np.array(list(combinations(range(total), n)))
    else:
        orders = rng.permuted(np.tile(np.arange(total), (EXACT - 1, 1)), axis=1)[:, :n]
        first = np.concatenate([np.arange(n)[None], orders])
    taken = np.zeros((len(first), total), np.bool_)
    np.put_along_axis(taken, first, True, axis=1)
    second = np.nonzero(~taken)[1].reshape(len(first), total - n)
    return probability_of_improvement(both[first], both[second])


def least_p(seeds: Sequence[tuple[int, int]]) -> float:
    """Returns the smallest p that `permutation_p` can give for n and m seeds of each task."""
    ways = math.prod(math.comb(n + m, n) for n, m in seeds)
    return 2 / ways


def area(steps: npt.ArrayLike, success: npt.ArrayLike) -> float:
    """Returns the mean success over the budget, in [0, 1]: the area under the curve.

    To twelve digits, so that areas that are equal but for rounding are a tie.
    """
    x, y = np.asarray(steps, float), np.asarray(success, float)
    if len(x) < 2:
        return float(y.mean())
    return round(float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum() / (x[-1] - x[0])), 12)


class Reached(NamedTuple):
    """When seeds reached a rate, in steps or in seconds; who did not in the budget is censored."""

    n: int
    """Seeds that reached it."""
    of: int
    """Seeds in all."""
    median: float | None
    """When the median seed did; None where that lies beyond the budget."""
    least: float | None
    """When the first seed did; None where none reached it."""
    most: float | None
    """When the last seed did; None where one did not reach it."""
    budget: float
    """Steps or seconds of each seed."""


def reached(when: Sequence[float | None], budget: float) -> Reached:
    """Returns a summary of when seeds first reached a rate.

    Args:
        when: steps or seconds of each seed; None for one that did not within `budget`.
        budget: steps or seconds of each seed.
    """
    reached_at = sorted(float(w) for w in when if w is not None)
    ordered = [*reached_at, *[math.inf] * (len(when) - len(reached_at))]
    half = len(ordered) // 2
    median = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return Reached(
        len(reached_at),
        len(when),
        None if math.isinf(median) else median,
        reached_at[0] if reached_at else None,
        reached_at[-1] if reached_at and len(reached_at) == len(when) else None,
        budget,
    )

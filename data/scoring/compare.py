"""Paired tests between judges of the same transitions, with ties called ties."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from data.scoring import metrics
from data.scoring.metrics import RESAMPLES, Estimate, number
from data.scoring.reference import Reference, any_of
from data.scoring.score import Score


class Comparison(NamedTuple):
    """Two lines of a table, compared on the same transitions."""

    first: int
    """Index of a score, the one with the higher MCC."""
    second: int
    difference: Estimate
    """MCC of the first minus MCC of the second, by paired bootstrap over episodes; without an
    interval where no resample differs, as of a faultless judge and one that never says yes."""
    only_first: int
    """Transitions on which only the first is right about "any subgoal"."""
    only_second: int
    p: float
    """McNemar's exact p over those two counts, Holm-adjusted for the number of pairs. It takes
    transitions for independent; the interval does not."""

    @property
    def tie(self) -> bool:
        """Returns whether the data cannot tell them apart: the difference's interval holds 0.

        Where there is no interval, McNemar's p decides.
        """
        if np.isnan(self.difference.low):
            return not (self.difference.value > 0 and self.p < 0.05)
        return not (self.difference.low > 0 or self.difference.high < 0)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return {
            "first": self.first,
            "second": self.second,
            "difference": self.difference.to_dict(),
            "only_first": self.only_first,
            "only_second": self.only_second,
            "p": number(self.p),
            "tie": self.tie,
        }


def compare(
    reference: Reference, scores: Sequence[Score], resamples: int = RESAMPLES, seed: int = 0
) -> list[Comparison]:
    """Returns the comparison of every pair of scores, the better one first."""
    # One seed, so one draw for all judges: that is what makes the bootstrap a paired one.
    drawn = [metrics.mcc(reference.resampled_any(s.answers, resamples, seed)) for s in scores]
    right = [any_of(s.answers) == reference.any for s in scores]
    comparisons: list[Comparison] = []
    for i, j in combinations(range(len(scores)), 2):
        a, b = (i, j) if _mcc(scores[i]) >= _mcc(scores[j]) else (j, i)
        differences = drawn[a] - drawn[b]
        value = _mcc(scores[a]) - _mcc(scores[b])
        difference = Estimate(value, *metrics.percentiles(differences))
        only_a, only_b, p = metrics.mcnemar(right[a], right[b])
        comparisons.append(Comparison(a, b, difference, only_a, only_b, p))
    adjusted = metrics.holm([c.p for c in comparisons])
    return [c._replace(p=float(p)) for c, p in zip(comparisons, adjusted, strict=True)]


def _mcc(score: Score) -> float:
    return score.metrics["mcc"].value

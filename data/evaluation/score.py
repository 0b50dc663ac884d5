"""Scores of one judge: from its answers and the truth to every number of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.records import Judgement, Usage, Verdict
from data.evaluation import metrics
from data.evaluation.metrics import RESAMPLES, Bin, Counts, Estimate
from data.evaluation.reference import Reference


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far a judge's probabilities can be believed."""

    brier: float
    error: float
    """Expected calibration error."""
    curve: list[Bin]
    n: int
    """Answers with a probability."""


@dataclass(frozen=True, slots=True)
class Score:
    """One line of the table: a judge, reading one description."""

    judge: str
    mode: str
    variant: str
    n: int
    repeats: int
    """Times each was reference."""
    metrics: dict[str, Estimate]
    """`paper_*`, then those of `metrics.HONEST` for "any subgoal", `precision_natural`, and
    `exact`: the share of transitions with every subgoal right."""
    subgoals: dict[str, dict[str, Estimate]]
    """precision, recall, f1 and mcc of each subgoal."""
    counts: dict[str, Counts]
    """(2, 3) counts behind them, for "any" and each subgoal."""
    unreadable_by_kind: dict[str, float]
    """Share of unreadable answers in each class of transitions."""
    verdicts: dict[str, int]
    usage: Usage
    """Over all repeats; a text is paid once, however many transitions have it."""
    flip_rate: float
    """Chance that two repeats of a question disagree; NaN if it was asked once."""
    calibration: Calibration | None
    answers: npt.NDArray[np.int8] = field(repr=False)
    """(N, G) 1 yes, 0 no, -1 unreadable, -2 not reference."""
    right: npt.NDArray[np.bool_] = field(repr=False)
    """(N,) every subgoal right."""

    @property
    def tokens(self) -> float:
        """Tokens for one transition; one whose text was seen before costs nothing."""
        return (self.usage.prompt_tokens + self.usage.completion_tokens) / (self.n * self.repeats)

    @property
    def seconds(self) -> float:
        """Seconds of waiting for one transition; others may have waited at the same time."""
        return self.usage.seconds / (self.n * self.repeats)

    @property
    def cost(self) -> float | None:
        """US dollars for one transition; None where the price is not known."""
        return None if self.usage.cost is None else self.usage.cost / (self.n * self.repeats)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN becomes null."""
        u = self.usage
        return {
            "judge": self.judge,
            "mode": self.mode,
            "variant": self.variant,
            "n": self.n,
            "repeats": self.repeats,
            "metrics": {k: _estimate(v) for k, v in self.metrics.items()},
            "subgoals": {
                name: {k: _estimate(v) for k, v in values.items()}
                for name, values in self.subgoals.items()
            },
            "counts": {k: v.astype(int).tolist() for k, v in self.counts.items()},
            "unreadable_by_class": {k: number(v) for k, v in self.unreadable_by_kind.items()},
            "verdicts": self.verdicts,
            "flip_rate": number(self.flip_rate),
            "calibration": None
            if self.calibration is None
            else {
                "brier": number(self.calibration.brier),
                "error": number(self.calibration.error),
                "n": self.calibration.n,
                "curve": [b._asdict() for b in self.calibration.curve],
            },
            "usage": {
                "requests": u.requests,
                "prompt_tokens": u.prompt_tokens,
                "cached_tokens": u.cached_tokens,
                "completion_tokens": u.completion_tokens,
                "seconds": round(u.seconds, 4),
                "cost": u.cost,
                "tokens_per_transition": number(self.tokens),
                "seconds_per_transition": number(self.seconds),
                "cost_per_transition": self.cost,
            },
        }


def number(value: float) -> float | None:
    """A number for JSON: five digits after the point, None for NaN."""
    return None if np.isnan(value) else round(float(value), 5)


def _estimate(value: Estimate) -> dict[str, float | None]:
    return {k: number(v) for k, v in value._asdict().items()}


def score(
    judge: str,
    mode: str,
    reference: Reference,
    judgements: Sequence[Sequence[Judgement]],
    usage: Usage,
    *,
    variant: str = "",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Score:
    """The score of a judge from its answers, (S repeats, N transitions), and what they cost.

    All numbers but the flip rate and the bill are of the first repeat.
    """
    answers = np.stack([answer_array(reference, row) for row in judgements])
    first = answers[0]
    by_cluster = cluster_counts(reference, first)
    drawn = metrics.resample(by_cluster, resamples, np.random.default_rng(seed))
    right = ((first == reference.truth) | (reference.truth == -2)).all(1)

    def estimated(metric: Any, which: int) -> Estimate:
        return metrics.estimate(metric, by_cluster[:, which], drawn[:, which])

    numbers: dict[str, Estimate] = {}
    for name, metric in metrics.PAPER.items():
        value = estimated(metric, 0)
        numbers[name] = value._replace(value=float(np.nan_to_num(value.value)))
    numbers |= {name: estimated(metric, 0) for name, metric in metrics.HONEST.items()}
    numbers["precision_natural"] = _natural(reference, by_cluster[:, 0], drawn[:, 0])
    # Right and wrong as the yes and no of a constant truth: its recall is the share that is right.
    exact = _by_cluster(reference, np.ones(len(right), np.int8), right.astype(np.int8))
    numbers["exact"] = metrics.estimate(
        metrics.recall,
        exact,
        metrics.resample(exact, resamples, np.random.default_rng(seed)),
    )
    judged = judgements[0]
    total = by_cluster.sum(0)
    return Score(
        judge,
        mode,
        variant,
        len(judged),
        len(judgements),
        numbers,
        {
            name: {
                "precision": estimated(metrics.precision, i),
                "recall": estimated(metrics.recall, i),
                "f1": estimated(metrics.f1, i),
                "mcc": estimated(metrics.mcc, i),
            }
            for i, name in enumerate(reference.names, 1)
        },
        dict(zip(("any", *reference.names), total, strict=True)),
        _unreadable_by_kind(reference, judged),
        {v.value: n for v in Verdict if (n := sum(j.verdict is v for j in judged))},
        usage,
        metrics.flip_rate(answers[:, reference.truth != -2]),
        _calibration(reference, judged),
        first,
        right,
    )


def _natural(reference: Reference, by_cluster: Counts, drawn: Counts) -> Estimate:
    """Precision at the natural rate.

    Without a single false alarm every resample is perfect too; the lower end is then what the
    highest rate of false alarms that Wilson's interval allows would leave. Without a single hit
    the upper end is what the highest recall that it allows would make of it.
    """
    rate = reference.natural_rate
    natural = metrics.estimate(lambda c: metrics.precision_at(c, rate), by_cluster, drawn)
    if natural.value not in (0.0, 1.0) or not 0 < rate < 1:
        return natural
    total = by_cluster.sum(0)
    episodes = (by_cluster.sum(2) > 0).sum(0)  # (2,) that hold a transition of each truth
    hit = float(metrics.recall(total)) * rate
    false = float(total[metrics.NO, metrics.YES] / total[metrics.NO].sum()) * (1 - rate)
    if natural.value == 1:
        false = metrics.wilson(0, int(episodes[metrics.NO]))[1] * (1 - rate)
    else:
        hit = metrics.wilson(0, int(episodes[metrics.YES]))[1] * rate
    low, high = sorted((natural.value, hit / (hit + false)))
    return Estimate(natural.value, low, high)


def answer_array(reference: Reference, judgements: Sequence[Judgement]) -> npt.NDArray[np.int8]:
    """(N, G) int8: 1 yes, 0 no, -1 unreadable, -2 not reference."""
    out = np.full(reference.truth.shape, -2, dtype=np.int8)
    column = {name: g for g, name in enumerate(reference.names)}
    for i, judgement in enumerate(judgements):
        if not judgement.verdict.readable:
            out[i, reference.truth[i] != -2] = -1
        for name, yes in judgement.achieved.items():
            out[i, column[name]] = yes
    return out


def any_of(answers: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """(N,) from (N, G): 1 if any is yes, -1 if none can be read, else 0."""
    yes = (answers == 1).any(1)
    lost = (answers < 0).all(1) & (answers == -1).any(1)
    return np.where(yes, 1, np.where(lost, -1, 0)).astype(np.int8)


def cluster_counts(reference: Reference, answers: npt.NDArray[np.int8]) -> Counts:
    """(K, 1 + G, 2, 3) counts by episode: "any subgoal" first, then each subgoal."""
    columns = [_by_cluster(reference, reference.any, any_of(answers))]
    for g in range(len(reference.names)):
        columns.append(_by_cluster(reference, reference.truth[:, g], answers[:, g]))
    return np.stack(columns, axis=1)


def _by_cluster(
    reference: Reference, truth: npt.NDArray[np.int8], answer: npt.NDArray[np.int8]
) -> Counts:
    """(K, 2, 3) counts of the rows whose truth is known."""
    known = truth >= 0
    of = reference.clusters[known]
    return metrics.confusion(truth[known], answer[known], of, int(reference.clusters.max()) + 1)


def _unreadable_by_kind(reference: Reference, judged: Sequence[Judgement]) -> dict[str, float]:
    of = Counter(reference.kinds)
    lost = Counter(
        kind for kind, j in zip(reference.kinds, judged, strict=True) if not j.verdict.readable
    )
    return {kind: lost[kind] / n for kind, n in sorted(of.items())}


def _calibration(reference: Reference, judged: Sequence[Judgement]) -> Calibration | None:
    """Over every answer that comes with a probability; None without any."""
    truth: list[int] = []
    confidence: list[float] = []
    for i, judgement in enumerate(judged):
        for g, name in enumerate(reference.names):
            if (
                judgement.confidence
                and name in judgement.confidence
                and reference.truth[i, g] != -2
            ):
                truth.append(int(reference.truth[i, g]))
                confidence.append(judgement.confidence[name])
    if not truth:
        return None
    curve = metrics.reliability(truth, confidence)
    return Calibration(
        metrics.brier(truth, confidence), metrics.calibration_error(curve), curve, len(truth)
    )

"""Scores of one judge: from its answers and the truth to every number of the table."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.records import Judgement, Usage, Verdict
from data.scoring import metrics
from data.scoring.metrics import RESAMPLES, Bin, Counts, Estimate, number
from data.scoring.reference import UNKNOWN, Answers, Reference, was_asked


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
    """Times each question was asked."""
    metrics: dict[str, Estimate]
    """`paper_*`, then those of `metrics.HONEST` for "any subgoal", `mcc_subgoals` over all pairs of
    transition and subgoal, `precision_natural`, and `exact`: the share of transitions with every
    subgoal right."""
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
    """(N, G) 1 yes, 0 no, -1 unreadable, -2 not asked."""
    right: npt.NDArray[np.bool_] = field(repr=False)
    """(N,) every subgoal right."""

    @property
    def tokens(self) -> float:
        """Returns the tokens for one transition; one whose text was asked before costs none."""
        return (self.usage.prompt_tokens + self.usage.completion_tokens) / (self.n * self.repeats)

    @property
    def seconds(self) -> float:
        """Returns the seconds of waiting for one transition; others may wait at the same time."""
        return self.usage.seconds / (self.n * self.repeats)

    @property
    def cost(self) -> float | None:
        """Returns US dollars for one transition; None where the price is not known."""
        return None if self.usage.cost is None else self.usage.cost / (self.n * self.repeats)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON; NaN becomes null."""
        u = self.usage
        return {
            "judge": self.judge,
            "mode": self.mode,
            "variant": self.variant,
            "n": self.n,
            "repeats": self.repeats,
            "metrics": {k: v.to_dict() for k, v in self.metrics.items()},
            "subgoals": {
                name: {k: v.to_dict() for k, v in values.items()}
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
    """Returns a judge's score from its answers, (S repeats, N transitions), and what they cost.

    All numbers but the flip rate and the bill are of the first repeat.
    """
    first = _Read(reference)
    answers = np.stack(
        [
            answer_array(reference, map(first.count, row) if i == 0 else row)
            for i, row in enumerate(judgements)
        ]
    )
    return replace(
        score_answers(judge, mode, reference, answers[0], resamples=resamples, seed=seed),
        variant=variant,
        repeats=len(judgements),
        verdicts={v.value: n for v in Verdict if (n := first.verdicts[v])},
        usage=usage,
        flip_rate=metrics.flip_rate(answers[:, reference.truth != UNKNOWN]),
        calibration=first.calibration(),
    )


def score_answers(
    who: str,
    mode: str,
    reference: Reference,
    answers: Answers,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Score:
    """Returns the score of answers (N, G) that were given once and for nothing; see `Answers`."""
    counted = Counted(
        reference.counts(answers),
        reference.resampled(answers, resamples, seed),
        reference.exact_counts(answers),
        reference.resampled_exact(answers, resamples, seed),
    )
    rows_asked = was_asked(answers)
    unreadable = rows_asked & (answers == -1).any(1)
    return score_counts(
        who,
        mode,
        reference.names,
        counted,
        reference.natural_rate,
        n=int(rows_asked.sum()),
        unreadable_by_kind=_shares_by_kind(reference.kinds, unreadable, rows_asked),
        answers=answers,
        right=reference.right(answers),
    )


@dataclass(frozen=True, slots=True)
class Counted:
    """What a score is made of: counts (..., 2, 3), see `data.scoring.metrics`."""

    by_cluster: Counts
    """(K, 1 + G, 2, 3) by episode."""
    drawn: Counts
    """(R, 1 + G, 2, 3) of resamples."""
    exact_by_cluster: Counts
    """(K, 2, 3) of "every subgoal right" by episode."""
    exact_drawn: Counts
    """(R, 2, 3) of resamples."""


def score_counts(
    who: str,
    mode: str,
    names: Sequence[str],
    counted: Counted,
    natural_rate: float,
    *,
    n: int,
    unreadable_by_kind: dict[str, float],
    answers: Answers,
    right: npt.NDArray[np.bool_],
) -> Score:
    """Returns every number that follows from counts alone; cost and repeats are left empty."""
    by_cluster, drawn = counted.by_cluster, counted.drawn

    def estimated(metric: Any, which: int) -> Estimate:
        return metrics.estimate(metric, by_cluster[:, which], drawn[:, which])

    numbers: dict[str, Estimate] = {}
    for name, metric in metrics.PAPER.items():
        value = estimated(metric, 0)
        numbers[name] = value._replace(value=float(np.nan_to_num(value.value)))
    numbers |= {name: estimated(metric, 0) for name, metric in metrics.HONEST.items()}
    pooled, pooled_drawn = by_cluster[:, 1:].sum(1), drawn[:, 1:].sum(1)
    numbers["mcc_subgoals"] = metrics.estimate(metrics.mcc, pooled, pooled_drawn)
    numbers["precision_natural"] = _natural(natural_rate, by_cluster[:, 0], drawn[:, 0])
    # Right and wrong as the yes and no of a constant truth: its recall is the share that is right.
    numbers["exact"] = metrics.estimate(
        metrics.recall, counted.exact_by_cluster, counted.exact_drawn
    )
    return Score(
        who,
        mode,
        "",
        n,
        1,
        numbers,
        {
            name: {
                "precision": estimated(metrics.precision, i),
                "recall": estimated(metrics.recall, i),
                "f1": estimated(metrics.f1, i),
                "mcc": estimated(metrics.mcc, i),
            }
            for i, name in enumerate(names, 1)
        },
        dict(zip(("any", *names), by_cluster.sum(0), strict=True)),
        unreadable_by_kind,
        {},
        Usage(),
        float("nan"),
        None,
        answers,
        right,
    )


def _natural(rate: float, by_cluster: Counts, drawn: Counts) -> Estimate:
    """Returns the precision at the natural rate.

    Without a single false alarm every resample is perfect too; the lower end is then what the
    highest rate of false alarms that Wilson's interval allows would leave. Without a single hit
    the upper end is what the highest recall that it allows would make of it.
    """
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


def answer_array(reference: Reference, judgements: Iterable[Judgement]) -> npt.NDArray[np.int8]:
    """Returns (N, G) int8: 1 yes, 0 no, -1 unreadable, -2 not asked."""
    out = np.full(reference.truth.shape, -2, dtype=np.int8)
    column = {name: g for g, name in enumerate(reference.names)}
    for i, judgement in enumerate(judgements):
        if not judgement.verdict.readable:
            out[i, reference.truth[i] != -2] = -1
        for name, yes in judgement.achieved.items():
            out[i, column[name]] = yes
    return out


def _shares_by_kind(
    kinds: Sequence[str], rows: npt.NDArray[np.bool_], of_rows: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Returns the share of `of_rows` that are among `rows`, by class; kinds and masks are (N,)."""
    total = Counter(kind for kind, yes in zip(kinds, of_rows, strict=True) if yes)
    count = Counter(kind for kind, yes in zip(kinds, rows, strict=True) if yes)
    return {kind: count[kind] / n for kind, n in sorted(total.items())}


class _Read:
    """Counts answers as they pass, in the rows' order: their verdicts, and their probabilities."""

    def __init__(self, reference: Reference) -> None:
        self._names, self._truths = reference.names, iter(reference.truth)
        self.verdicts: Counter[Verdict] = Counter()
        self._truth, self._confidence = array("b"), array("d")

    def count(self, judgement: Judgement) -> Judgement:
        """Counts the answer about the next row, and returns it."""
        truth = next(self._truths)
        self.verdicts[judgement.verdict] += 1
        if judgement.confidence:
            for g, name in enumerate(self._names):
                if name in judgement.confidence and truth[g] != UNKNOWN:
                    self._truth.append(int(truth[g]))
                    self._confidence.append(judgement.confidence[name])
        return judgement

    def calibration(self) -> Calibration | None:
        """Returns the calibration over all answers with a probability; None without any."""
        if not self._truth:
            return None
        curve = metrics.reliability(self._truth, self._confidence)
        return Calibration(
            metrics.brier(self._truth, self._confidence),
            metrics.calibration_error(curve),
            curve,
            len(self._truth),
        )

"""Learns where to cut a judge's confidence, on texts apart from those that are reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from calm.judges.thresholds import EVERY, apply_thresholds
from calm.records import Judgement, LabelledTransition, Mode
from data.evaluation.halves import HALVES, half_of

ENOUGH = 2
"""Distinct texts that achieve a subgoal, and as many that don't, for a threshold of its own."""
PRIOR = 2
"""Examples that the threshold of all subgoals is worth beside a subgoal's own."""


def learn_thresholds(
    rows: Sequence[LabelledTransition], judgements: Sequence[Judgement], mode: Mode
) -> dict[str, float]:
    """Returns a threshold for every subgoal (`*`), and those of subgoals with enough examples.

    The threshold of all is the middle of the gap of confidences where Matthews' coefficient is
    highest; of equally good gaps the widest. A subgoal's own lies in its own such gap, the nearer
    to that of all the fewer examples it has, and never in an outer quarter of the gap. Equal
    descriptions count once, since a model is asked once.

    Args:
        rows: with their truth.
        judgements: one a row; those without confidence are left out.
        mode: the description that was read.

    Raises:
        UsageError: no judgement has any.
    """
    examples: dict[tuple[str, str], tuple[float, bool]] = {}
    for row, judgement in zip(rows, judgements, strict=True):
        text = row.transition.texts[mode]
        for name, p in (judgement.confidence or {}).items():
            if name in row.truth:
                examples.setdefault((name, text), (p, row.truth[name]))
    if not examples:
        raise UsageError(
            "no answer says how sure the model is: take a form with odds (skeleton, statements,"
            " lines), or --logprobs"
        )
    common = best_cut(list(examples.values()))
    thresholds = {EVERY: common}
    for name in dict.fromkeys(name for name, _ in examples):
        own = [pair for (of, _), pair in examples.items() if of == name]
        hits = sum(truth for _, truth in own)
        if (fewest := min(hits, len(own) - hits)) >= ENOUGH:
            low, high = best_gap(own)
            share = fewest / (fewest + PRIOR)
            cut = share * (low + high) / 2 + (1 - share) * common
            quarter = (high - low) / 4
            thresholds[name] = round(min(max(cut, low + quarter), high - quarter), 4)
    return thresholds


def fold_judgements(
    rows: Sequence[LabelledTransition], judgements: Sequence[Judgement], mode: Mode
) -> list[Judgement]:
    """Returns the judgements of each half of the texts as thresholds learned on the other cut them.

    So every row is judged, and none by a threshold that its text had a part in.

    Args:
        rows, judgements, mode: as for `learn_thresholds`.

    Raises:
        UsageError: the rows of one half say nothing of how sure the model is, or there are none.
    """
    halves = [half_of(row.transition) for row in rows]
    learned = {}
    for half in HALVES:
        other = [i for i, of in enumerate(halves) if of != half]
        learned[half] = learn_thresholds(
            [rows[i] for i in other], [judgements[i] for i in other], mode
        )
    return [
        apply_thresholds(judgement, learned[half])
        for judgement, half in zip(judgements, halves, strict=True)
    ]


def best_cut(examples: Sequence[tuple[float, bool]]) -> float:
    """Returns the threshold above which yes agrees best with the truth.

    >>> best_cut([(0.2, False), (0.6, False), (0.8, True)])
    0.7
    """
    low, high = best_gap(examples)
    return round((low + high) / 2, 4)


def best_gap(examples: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """Returns the confidences between which a threshold agrees best with the truth."""
    p = np.array([p for p, _ in examples])
    truth = np.array([t for _, t in examples])
    values = np.unique(np.concatenate([[0.0], p, [1.0]]))
    cuts = (values[1:] + values[:-1]) / 2
    scores = np.array([_mcc(p > cut, truth) for cut in cuts])
    gaps = np.where(scores >= scores.max() - 1e-9, values[1:] - values[:-1], -1)
    best = int(gaps.argmax())
    return float(values[best]), float(values[best + 1])


def _mcc(yes: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    return float(np.nan_to_num(np.corrcoef(yes, truth)[0, 1])) if yes.any() and not yes.all() else 0

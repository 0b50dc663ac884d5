"""Learns where to cut a judge's confidence, on the half that is there to tune on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from calm.judges.thresholds import EVERY
from calm.records import Judgement, LabelledTransition, Mode

ENOUGH = 3
"""Distinct texts that achieve a subgoal, and as many that don't, for a threshold of its own."""


def learn_thresholds(
    rows: Sequence[LabelledTransition], judgements: Sequence[Judgement], mode: Mode
) -> dict[str, float]:
    """Returns a threshold for every subgoal (`*`), and those of subgoals with enough examples.

    A threshold is the middle of the gap of confidences where Matthews' coefficient is highest; of
    equally good gaps the widest. Equal descriptions count once, since a model is asked once.

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
            "no answer says how sure the model is: take a form with odds (skeleton, statements),"
            " or --logprobs"
        )
    thresholds = {EVERY: best_cut(list(examples.values()))}
    for name in dict.fromkeys(name for name, _ in examples):
        own = [pair for (of, _), pair in examples.items() if of == name]
        hits = sum(truth for _, truth in own)
        if hits >= ENOUGH and len(own) - hits >= ENOUGH:
            thresholds[name] = best_cut(own)
    return thresholds


def best_cut(examples: Sequence[tuple[float, bool]]) -> float:
    """Returns the threshold above which yes agrees best with the truth.

    >>> best_cut([(0.2, False), (0.6, False), (0.8, True)])
    0.7
    """
    p = np.array([p for p, _ in examples])
    truth = np.array([t for _, t in examples])
    values = np.unique(np.concatenate([[0.0], p, [1.0]]))
    cuts = (values[1:] + values[:-1]) / 2
    scores = np.array([_mcc(p > cut, truth) for cut in cuts])
    gaps = np.where(scores >= scores.max() - 1e-9, values[1:] - values[:-1], -1)
    return round(float(cuts[int(gaps.argmax())]), 4)


def _mcc(yes: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    return float(np.nan_to_num(np.corrcoef(yes, truth)[0, 1])) if yes.any() and not yes.all() else 0

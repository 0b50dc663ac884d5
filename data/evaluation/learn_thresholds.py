"""Learns where to cut a judge's confidence, on texts apart from those that are reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from calm.judges.thresholds import EVERY, apply_thresholds
from calm.records import Judgement, LabelledTransition, Mode
from data.evaluation.halves import HALVES, half_of
from data.scoring.metrics import confusion, mcc

ENOUGH = 2
"""Distinct texts that achieve a subgoal, and as many that don't, for a threshold of its own."""
PRIOR = 2
"""Examples of a subgoal's own that those of all subgoals together are worth beside them."""

Examples = Sequence[tuple[float, bool]]
"""Confidences, each with the truth."""


class NoConfidence(UsageError):
    """Raised where no answer says how sure the model is, so that no threshold can be learned."""


def learn_thresholds(
    rows: Iterable[LabelledTransition], judgements: Iterable[Judgement], mode: Mode
) -> dict[str, float]:
    """Returns a threshold for every subgoal (`*`), and those of subgoals with enough examples.

    A threshold is the middle of the gap of confidences where Matthews' coefficient is highest; of
    equally good gaps the widest. For one subgoal the coefficient on its own examples counts with
    that on all, the less the fewer it has. Equal descriptions count once, since a model is asked
    once.

    Args:
        rows: with their truth.
        judgements: one a row; those without confidence are left out.
        mode: the description that was read.

    Raises:
        NoConfidence: no judgement has any.
    """
    examples: dict[tuple[str, str], tuple[float, bool]] = {}
    for row, judgement in zip(rows, judgements, strict=True):
        text = row.transition.texts[mode]
        for name, p in (judgement.confidence or {}).items():
            if name in row.truth:
                examples.setdefault((name, text), (p, row.truth[name]))
    if not examples:
        raise NoConfidence(
            "no answer says how sure the model is: take a form with odds (skeleton, statements,"
            " lines), or --logprobs"
        )
    every = list(examples.values())
    thresholds = {EVERY: best_cut(every)}
    for name in dict.fromkeys(name for name, _ in examples):
        own = [pair for (of, _), pair in examples.items() if of == name]
        hits = sum(truth for _, truth in own)
        if (fewest := min(hits, len(own) - hits)) >= ENOUGH:
            thresholds[name] = best_cut(own, every, PRIOR / (fewest + PRIOR))
    return thresholds


def fold_judgements(
    rows: Sequence[LabelledTransition], judgements: Sequence[Judgement], mode: Mode
) -> Iterator[Judgement]:
    """Yields the judgements of each half of the texts as thresholds learned on the other cut them.

    So every row is judged, and none by a threshold that its text had a part in.

    Args:
        rows, judgements, mode: as for `learn_thresholds`.

    Raises:
        NoConfidence: no row of one half has any.
    """
    in_first = np.fromiter((half_of(row.transition) == HALVES[0] for row in rows), bool, len(rows))
    learned = {
        is_first: learn_thresholds(
            compress(rows, in_first != is_first), compress(judgements, in_first != is_first), mode
        )
        for is_first in (True, False)
    }
    for judgement, is_first in zip(judgements, in_first.tolist(), strict=True):
        yield apply_thresholds(judgement, learned[is_first])


def best_cut(examples: Examples, others: Examples = (), weight: float = 0.0) -> float:
    """Returns the threshold above which yes agrees best with the truth.

    Args:
        others: more examples, on which agreement counts too.
        weight: of the agreement on these, from 0 to 1.

    >>> best_cut([(0.2, False), (0.6, False), (0.8, True)])
    0.7
    """
    values = np.unique([0.0, *(p for p, _ in (*examples, *others)), 1.0])
    cuts = (values[1:] + values[:-1]) / 2
    scores = (1 - weight) * _agreement(examples, cuts)
    if others:
        scores = scores + weight * _agreement(others, cuts)
    gaps = np.where(scores >= scores.max() - 1e-9, values[1:] - values[:-1], -1)
    return round(float(cuts[int(gaps.argmax())]), 4)


def _agreement(examples: Examples, cuts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns Matthews' coefficient for each threshold, (N,); 0 where it has none."""
    p = np.array([p for p, _ in examples])
    truth = np.array([t for _, t in examples])
    counts = [confusion(truth, p > cut, np.zeros(len(p), int), 1)[0] for cut in cuts]
    return np.nan_to_num(mcc(np.stack(counts)))

"""Tells whether importance moves when a subgoal is achieved: from the key to the door, say.

For each subgoal and each kind of cell: the mean importance of such cells in observations before the
episode achieved the subgoal and after it, each with its interval, and what after has more than
before. Intervals are bootstraps over episodes, since the observations of one are alike. A kind that
is in sight on one side alone, as a key is that has been taken, or in too few episodes of one, has
no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.scoring.metrics import RESAMPLES, Estimate

Values = npt.NDArray[np.float64]
LEAST_EPISODES = 5
"""On a side, for an interval."""


@dataclass(frozen=True)
class Progress:
    """Which subgoals the episodes of B observations had achieved by then."""

    names: Sequence[str]
    """Of the G subgoals, in the order of the task's list."""
    achieved: npt.NDArray[np.bool_]
    """(B, G)."""
    episodes: npt.NDArray[np.int64]
    """(B,), which episode an observation is of."""


@dataclass(frozen=True)
class Shift:
    """The importance of one kind of cell before and after one subgoal, 0 to 1."""

    subgoal: str
    kind: str
    before: Estimate | None
    """None where the kind was in sight in fewer than `LEAST_EPISODES` episodes before it."""
    after: Estimate | None
    """Likewise after it."""
    more: Estimate | None
    """After less before; None where one of them is."""

    @property
    def moved(self) -> bool:
        """Whether the interval of the difference leaves out 0."""
        return self.more is not None and (self.more.low > 0 or self.more.high < 0)


def shifts(by_kind: Mapping[str, Values], progress: Progress, seed: int = 0) -> list[Shift]:
    """Returns a shift for each subgoal that was achieved in some of B observations, and each kind.

    Args:
        by_kind: mean importance (B,) of an observation's cells of each kind; NaN where none is in
            sight.
        progress: of these observations.
        seed: of the bootstrap.
    """
    moves = []
    episodes = progress.episodes
    for name, after in zip(progress.names, progress.achieved.T, strict=True):
        if not after.any() or after.all():
            continue
        for kind, values in by_kind.items():
            rng = np.random.default_rng(seed)
            before, later = (
                interval_of_mean(values, side, episodes, rng) for side in (~after, after)
            )
            more = None
            if before is not None and later is not None:
                rng = np.random.default_rng(seed)
                more = _difference(values, after, episodes, rng)
            if before is not None or later is not None:
                moves.append(Shift(name, kind, before, later, more))
    return moves


def lines(moves: Sequence[Shift]) -> list[str]:
    """Returns a line for each subgoal: what moved, then what shows no difference."""
    texts, few = [], f"in sight in fewer than {LEAST_EPISODES} episodes"
    for name in dict.fromkeys(one.subgoal for one in moves):
        of = [one for one in moves if one.subgoal == name]
        parts = [_moved(one) for one in of if one.moved]
        parts += [
            f"{one.kind} {fmt(one.before)} before, {few} after"
            for one in of
            if one.before is not None and one.after is None
        ]
        parts += [
            f"{one.kind} {fmt(one.after)} after, {few} before"
            for one in of
            if one.after is not None and one.before is None
        ]
        if still := [one.kind for one in of if one.more is not None and not one.moved]:
            parts.append(f"no difference shown of {', '.join(still)}")
        texts.append(f"importance when “{name}” was achieved: {'; '.join(parts)}")
    return texts


def _moved(one: Shift) -> str:
    """Returns what a kind had before and after, and the difference."""
    assert one.before is not None
    assert one.after is not None
    assert one.more is not None
    return (
        f"{one.kind} from {one.before.value:.2f} to {one.after.value:.2f}"
        f" ({one.more.value:+.2f}, 95 % [{one.more.low:+.2f}, {one.more.high:+.2f}])"
    )


def fmt(estimate: Estimate) -> str:
    """Formats an importance with its interval: 0.40 [0.31, 0.52]."""
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _sums(
    values: Values, which: npt.NDArray[np.bool_], episodes: npt.NDArray[np.int64]
) -> tuple[Values, npt.NDArray[np.int64]]:
    """Returns sum and number of the chosen values of each episode, (E,); NaNs are left out."""
    _, of = np.unique(episodes, return_inverse=True)
    chosen = which & ~np.isnan(values)
    count = int(of.max()) + 1
    sums = np.bincount(of[chosen], values[chosen], count).astype(np.float64)
    return sums, np.bincount(of[chosen], minlength=count).astype(np.int64)


def interval_of_mean(
    values: Values,
    which: npt.NDArray[np.bool_],
    episodes: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> Estimate | None:
    """Returns the mean of the chosen values with its interval, episodes drawn with replacement.

    None where they are of fewer than `LEAST_EPISODES` episodes.

    Args:
        values: (B,); NaNs are left out.
        which: (B,), those chosen.
        episodes: (B,), which episode a value is of.
        rng: of the draws.
    """
    sums, counts = _sums(values, which, episodes)
    sums, counts = sums[counts > 0], counts[counts > 0]
    if len(counts) < LEAST_EPISODES:
        return None
    draws = rng.integers(len(counts), size=(RESAMPLES, len(counts)))
    return _estimate(sums.sum() / counts.sum(), sums[draws].sum(1) / counts[draws].sum(1))


def _difference(
    values: Values,
    after: npt.NDArray[np.bool_],
    episodes: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> Estimate:
    """Returns the mean after less that before; episodes are drawn with both of their sides."""
    (later, n_later), (before, n_before) = (
        _sums(values, which, episodes) for which in (after, ~after)
    )
    draws = rng.integers(len(later), size=(RESAMPLES, len(later)))
    n_later_drawn, n_before_drawn = n_later[draws].sum(1), n_before[draws].sum(1)
    both = (n_later_drawn > 0) & (n_before_drawn > 0)
    means = [
        sums[draws].sum(1)[both] / counts[both]
        for sums, counts in ((later, n_later_drawn), (before, n_before_drawn))
    ]
    whole = later.sum() / n_later.sum() - before.sum() / n_before.sum()
    return _estimate(whole, means[0] - means[1])


def _estimate(value: float, draws: Values) -> Estimate:
    """Returns a value with the 95 % interval of its draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(float(value), float(low), float(high))

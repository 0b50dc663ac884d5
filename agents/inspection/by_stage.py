"""Tells what is important at each stage of an episode: the key, then the door, then the stairs.

An observation's stage is the furthest subgoal that its episode had achieved by then, in the order
of the task's list. For each stage and each kind of cell: the mean importance of such cells, with
its interval, a bootstrap over episodes.

Importance is told within each observation, 0 to 1, so that when what matters most leaves sight, as
a key does that is taken, the rest rises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.inspection.by_subgoal import Values, interval_of_mean
from data.scoring.metrics import Estimate

NONE_YET = "none yet"
"""The stage before any subgoal is achieved."""


@dataclass(frozen=True)
class Stage:
    """What was important while one subgoal was the furthest achieved."""

    furthest: str
    """That subgoal, or `NONE_YET`."""
    observations: int
    importance: dict[str, Estimate | None]
    """By kind of cell, 0 to 1; None where the kind was in sight in too few episodes."""

    def line(self) -> str:
        """Returns the stage as text, the most important kind first."""
        told = {kind: one for kind, one in self.importance.items() if one is not None}
        kinds = sorted(told, key=lambda kind: -told[kind].value)
        parts = (
            f"{kind} {told[kind].value:.2f} [{told[kind].low:.2f}, {told[kind].high:.2f}]"
            for kind in kinds
        )
        return f"{self.furthest} ({self.observations}): {', '.join(parts)}"


def stages(
    by_kind: Mapping[str, Values],
    achieved: npt.NDArray[np.bool_],
    names: Sequence[str],
    episodes: npt.NDArray[np.int64],
    seed: int = 0,
) -> list[Stage]:
    """Returns the stages that some of B observations are in, in the order of the subgoals.

    Args:
        by_kind: mean importance (B,) of an observation's cells of each kind; NaN where none is in
            sight.
        achieved: (B, G), which subgoals the episode had achieved by then.
        names: of the subgoals, in the order of the task.
        episodes: (B,), which episode an observation is of.
        seed: of the bootstrap.
    """
    order = np.arange(1, len(names) + 1)
    furthest = (achieved * order).max(1, initial=0)
    found = []
    for i, name in enumerate((NONE_YET, *names)):
        inside = furthest == i
        if inside.any():
            importance = {
                kind: interval_of_mean(values, inside, episodes, np.random.default_rng(seed))
                for kind, values in by_kind.items()
            }
            found.append(Stage(name, int(inside.sum()), importance))
    return found


def lines(found: Sequence[Stage]) -> list[str]:
    """Returns a line for each stage under one that says what they tell; none without stages."""
    if not found:
        return []
    told = "importance by kind while a subgoal is the furthest achieved (in how many observations):"
    return [told, *(stage.line() for stage in found)]

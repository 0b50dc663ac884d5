"""Tells what is important at each stage of an episode: the key, then the door, then the stairs.

An observation's stage is the furthest subgoal that its episode had achieved by then, in the order
of the task's list; where that order is not the order of play, a stage holds observations that lack
an earlier subgoal, and says how many. For each stage and each kind of cell: the mean importance of
such cells, with its interval, a bootstrap over episodes.

Importance is told within each observation, 0 to 1, so that when what matters most leaves sight, as
a key does that is taken, the rest rises, and that in an observation in which nothing matters much
something has 1. How far hiding the strongest cell alone moves the policy stands beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.inspection.saliency.by_subgoal import Progress, Values, fmt, interval_of_mean
from data.scoring.metrics import Estimate

NONE_YET = "none yet"
"""The stage before any subgoal is achieved."""
HOW = (
    "By stage, the furthest subgoal achieved in the order of the task's list: importance of each"
    " kind of cell, from 0 to 1 over the cells of each observation by itself, mean over its cells"
    " in sight, with 95 % intervals over episodes. “few”: in sight in too few episodes. Strongest:"
    " nats that the policy moves when the cell that matters most is hidden, the median."
)


@dataclass(frozen=True)
class Stage:
    """What was important while one subgoal was the furthest achieved."""

    furthest: str
    """That subgoal, or `NONE_YET`."""
    observations: int
    episodes: int
    """That these are of."""
    skipped: float
    """Share of these whose episode had not achieved every subgoal that stands before."""
    strongest: float
    """Nats that hiding the cell that matters most moves the policy, the median of these."""
    importance: dict[str, Estimate | None]
    """By kind of cell in sight, 0 to 1; None where it was in sight in too few episodes."""


def stages(
    by_kind: Mapping[str, Values], strongest: Values, progress: Progress, seed: int = 0
) -> list[Stage]:
    """Returns the stages that some of B observations are in, in the order of the subgoals.

    Args:
        by_kind: mean importance (B,) of an observation's cells of each kind; NaN where none is in
            sight.
        strongest: nats that hiding an observation's strongest cell moves the policy, (B,).
        progress: of these observations.
        seed: of the bootstrap.
    """
    order = np.arange(1, len(progress.names) + 1)
    furthest = (progress.achieved * order).max(1, initial=0)
    lacking = progress.achieved.sum(1) < furthest
    reached = []
    for i, name in enumerate((NONE_YET, *progress.names)):
        inside = furthest == i
        if not inside.any():
            continue
        importance = {
            kind: interval_of_mean(values, inside, progress.episodes, np.random.default_rng(seed))
            for kind, values in by_kind.items()
            if not np.isnan(values[inside]).all()
        }
        stage = Stage(
            name,
            observations=int(inside.sum()),
            episodes=len(np.unique(progress.episodes[inside])),
            skipped=float(lacking[inside].mean()),
            strongest=float(np.median(strongest[inside])),
            importance=importance,
        )
        reached.append(stage)
    return reached


def lines(reached: Sequence[Stage], tabled: bool = False) -> list[str]:
    """Returns a line for each stage under one that says how to read them; none without stages.

    Args:
        reached: the stages, in the order of the subgoals.
        tabled: whether they stand in a table elsewhere, so that the first line is enough.
    """
    if not reached:
        return []
    return [HOW] if tabled else [HOW, *map(_line, reached)]


def _line(stage: Stage) -> str:
    """Returns a stage as text, the most important kind first."""
    enough = {kind: one for kind, one in stage.importance.items() if one is not None}
    kinds = sorted(enough, key=lambda kind: -enough[kind].value)
    few = [kind for kind, one in stage.importance.items() if one is None]
    parts = [f"{kind} {fmt(enough[kind])}" for kind in kinds]
    parts += [f"too few episodes with {', '.join(few)}"] if few else []
    lacking = f", {stage.skipped:.0%} without an earlier one" if stage.skipped else ""
    return (
        f"{stage.furthest} ({stage.observations} observations of {stage.episodes} episodes"
        f"{lacking}; strongest {stage.strongest:.3g}): {', '.join(parts)}"
    )


def rows(reached: Sequence[Stage]) -> tuple[list[str], list[list[str]]]:
    """Returns the stages as a table: the names of its columns, and a row of cells for each."""
    kinds = list(dict.fromkeys(kind for stage in reached for kind in stage.importance))
    columns = ["furthest subgoal achieved", "observations", "episodes"]
    columns += ["without an earlier one", "strongest, nats", *kinds]
    cells = []
    for stage in reached:
        counts = [f"{stage.observations}", f"{stage.episodes}", f"{stage.skipped:.0%}"]
        of = [_cell(stage, kind) for kind in kinds]
        cells.append([stage.furthest, *counts, f"{stage.strongest:.3g}", *of])
    return columns, cells


def _cell(stage: Stage, kind: str) -> str:
    """Returns the importance of a kind at a stage: – where it was not in sight."""
    if kind not in stage.importance:
        return "–"
    one = stage.importance[kind]
    return "few" if one is None else fmt(one)

"""Draws some rows of a part: fairly, evenly over classes, or those on which judges differ."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.records import NONE, LabelledTransition
from data.parquet import Transitions
from data.schema import JudgedTransition
from data.stored import items_at, outlines

HOW = ("shares", "even", "disputed")
"""How rows are drawn: see `draw`, `draw_even`, `draw_disputed`."""


def draw(part: Transitions, limit: int, seed: int = 0) -> Sequence[LabelledTransition]:
    """Returns at most `limit` rows in the part's order; each class of each task keeps its share.

    A set is often sorted by class, so its first rows are no fair sample. Here the rows of a class
    stand at equal distances on a line from 0 to 1, from a start drawn by the seed, and those that
    come first are taken: no class is off its share by more than a row or so, and a larger draw
    with the same seed holds every smaller one. Only the seed and the content of the rows decide.
    Of a part that is not in memory, one pass over ids, tasks and truths decides, and the rows
    drawn are read when they are needed.

    Args:
        part: rows and their tasks, whose subgoals make the classes.
        limit: rows to draw; 0 for all.
        seed: another seed draws other rows.
    """
    if not limit or limit >= len(part.rows):
        return part.rows
    places = [
        ((np.arange(len(members)) + _uniform(seed, *name)) / len(members), members)
        for name, members in _classes(part, seed).items()
    ]
    return _first(part, places, limit)


def draw_even(part: Transitions, limit: int, seed: int = 0) -> Sequence[LabelledTransition]:
    """Returns rows as `draw`, but of every class of every task as many as of the others, if it can.

    So rare subgoals are labelled too. The rows' classes come far more often than in play; whoever
    labels them must not be told otherwise.
    """
    places = [
        (np.arange(len(members)) + _uniform(seed, *name), members)
        for name, members in _classes(part, seed).items()
    ]
    return _first(part, places, limit)


def draw_disputed(
    part: Transitions, limit: int, answers: Sequence[JudgedTransition], seed: int = 0
) -> Sequence[LabelledTransition]:
    """Returns at most `limit` rows on which judges differ most, in the part's own order.

    What judges differ by is the share of them that is not of the most frequent answer; an
    unreadable answer is one of its own. Rows of equal share are drawn by the seed; those that
    fewer than two judges answered come last.
    """
    by_id: dict[str, dict[str, str]] = {}
    for a in answers:
        if a.sample == 0:
            kind = " + ".join(n for n, yes in a.judgement.achieved.items() if yes)
            who = f"{a.judge} {a.mode} {a.variant}"
            verdict = "" if a.judgement.verdict.readable else "unreadable"
            by_id.setdefault(a.id, {})[who] = verdict or kind
    places = array("d")
    for row in part.rows:
        kinds = Counter(by_id.get(row.transition.id, {}).values())
        differing = 1 - max(kinds.values()) / kinds.total() if kinds.total() > 1 else -1.0
        places.append(-differing + _uniform(seed, row.transition.id) / 1e6)
    return _first(part, [(np.array(places), np.arange(len(places)))], limit)


def _classes(part: Transitions, seed: int) -> dict[tuple[str, str], npt.NDArray[np.int64]]:
    """Returns the indices of the rows of each class of each task, in an order the seed draws."""
    names = {id: [s.name for s in task.subgoals] for id, task in part.tasks.items()}
    classes: dict[tuple[str, str], tuple[array[int], array[float]]] = {}
    for i, row in enumerate(outlines(part.rows)):
        kind = " + ".join(name for name in names[row.task] if row.truth.get(name)) or NONE
        if (row.task, kind) not in classes:
            classes[row.task, kind] = (array("q"), array("d"))
        members, order = classes[row.task, kind]
        members.append(i)
        order.append(_uniform(seed, row.id))
    return {
        name: np.array(members)[np.argsort(np.array(order), kind="stable")]
        for name, (members, order) in classes.items()
    }


def _first(
    part: Transitions,
    places: Sequence[tuple[npt.NDArray[np.floating[Any]], npt.NDArray[np.int64]]],
    limit: int,
) -> Sequence[LabelledTransition]:
    """Returns the rows of the `limit` smallest places, in the part's own order; all for 0.

    Args:
        places: of rows, and their indices.
    """
    if not limit or limit >= len(part.rows):
        return part.rows
    place = np.concatenate([place for place, _ in places])
    row = np.concatenate([rows for _, rows in places])
    return items_at(part.rows, np.sort(row[np.lexsort((row, place))[:limit]]))


def _uniform(seed: int, *words: str) -> float:
    """Returns a number in [0, 1) that the seed and the words fix."""
    digest = hashlib.sha256("\n".join([str(seed), *words]).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56

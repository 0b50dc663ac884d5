"""Draws some rows of a part so that every class keeps its share."""

from __future__ import annotations

import hashlib

from calm.records import LabelledTransition
from data.parquet import Transitions


def draw(part: Transitions, limit: int, seed: int = 0) -> list[LabelledTransition]:
    """At most `limit` rows, in the part's own order; each class of each task keeps its share.

    A set is often sorted by class, so its first rows are no fair sample. Here the rows of a class
    stand at equal distances on a line from 0 to 1, from a start drawn by the seed, and those that
    come first are taken: no class is off its share by more than a row or so, and a larger draw
    with the same seed holds every smaller one. Only the seed and the content of the rows decide.

    Args:
        part: rows and their tasks, whose subgoals make the classes.
        limit: rows to draw; 0 for all.
        seed: another seed draws other rows.
    """
    if not limit or limit >= len(part.rows):
        return list(part.rows)
    classes: dict[tuple[str, str], list[int]] = {}
    for i, row in enumerate(part.rows):
        task = part.tasks[row.transition.task]
        kind = row.kind([s.name for s in task.subgoals])
        classes.setdefault((row.transition.task, kind), []).append(i)
    places: list[tuple[float, int]] = []
    for name, members in classes.items():
        start = _uniform(seed, *name)
        members.sort(key=lambda i: _uniform(seed, part.rows[i].transition.id))
        places += [((rank + start) / len(members), i) for rank, i in enumerate(members)]
    chosen = sorted(i for _, i in sorted(places)[:limit])
    return [part.rows[i] for i in chosen]


def _uniform(seed: int, *words: str) -> float:
    """A number in [0, 1) that the seed and the words fix."""
    digest = hashlib.sha256("\n".join([str(seed), *words]).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56

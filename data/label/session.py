"""What one annotator labels, in which order, and what the page shows of it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calm.records import LabelledTransition, Task
from data.label.store import LabelStore
from data.screen.view import screen_views

PAGE = "calm label 2"
"""Version of the page; goes up when people see or are asked something else."""

KEYS = "123456789abcdefghijkopqrstvwxy"
"""One key a subgoal, in order; without the page's own (l, m, n, u, z)."""


@dataclass
class Session:
    """What one annotator labels, in an order of their own that tells nothing."""

    annotator: str
    rows: Sequence[LabelledTransition]
    tasks: Mapping[str, Task]
    store: LabelStore
    set_version: str = ""
    """Name and version of the set, as `Label.set`."""
    order: list[LabelledTransition] = field(init=False)

    def __post_init__(self) -> None:
        self.by_id = {r.transition.id: r for r in self.rows}
        self.order = [self.by_id[id] for id in labels_order(self.annotator, self.by_id)]

    def done(self) -> set[str]:
        """Returns the ids that this annotator has answered."""
        return {label.id for label in self.store.labels(self.annotator)} & self.by_id.keys()

    def next(self) -> LabelledTransition | None:
        """Returns the first transition without an answer; None if all have one."""
        done = self.done()
        return next((r for r in self.order if r.transition.id not in done), None)

    def view(self, row: LabelledTransition | None, notice: str = "") -> dict[str, Any]:
        """Returns the template's values for a transition: never its truth, player or episode."""
        done = len(self.done())
        shared = {
            "annotator": self.annotator,
            "done": done,
            "total": len(self.order),
            "last": self.store.last(self.annotator),
            "notice": notice,
        }
        if row is None:
            return shared | {"id": None}
        task = self.tasks[row.transition.task]
        number, label = self.store.current(row.transition.id, self.annotator)
        history = self.store.history(row.transition.id, self.annotator)
        return (
            shared
            | step_view(row, task)
            | {
                "nonce": secrets.token_urlsafe(12),
                "replaces": number,
                "answered": label.kind() if label else "",
                "history": history if len(history) > 1 else [],
            }
        )

    def answered(self) -> list[dict[str, str]]:
        """Returns this annotator's answers, last first: `id`, `action`, `kind` and `at` of each."""
        return [
            {
                "id": label.id,
                "action": self.by_id[label.id].transition.action,
                "kind": label.kind(),
                "at": label.at,
            }
            for label in reversed(self.store.labels(self.annotator))
            if label.id in self.by_id
        ]


def step_view(row: LabelledTransition, task: Task) -> dict[str, Any]:
    """Returns what any page shows of a transition: never its truth, player or episode."""
    t = row.transition
    screens = screen_views(row)
    ended = "died or reached its goal" if t.terminated else "ran out of time"
    return {
        "id": t.id,
        "task": task.id,
        "goal": task.goal,
        "action": t.action,
        "ended": ended if t.terminated or t.truncated else "",
        "before": screens[0] if screens else None,
        "after": screens[1] if screens else None,
        "text": None if screens else t.texts.get(shown(row), ""),
        "subgoals": list(zip(KEYS, task.subgoals, strict=False)),
    }


def shown(row: LabelledTransition) -> str:
    """Returns what a person sees of a transition: `screens`, or the mode of a description."""
    if row.before is not None and row.after is not None:
        return "screens"
    return next((mode for mode in ("screen", "crop", "events") if mode in row.transition.texts), "")


def labels_order(annotator: str, ids: Iterable[str]) -> list[str]:
    """Returns the ids in the annotator's own order, which tells nothing of what they are."""
    return sorted(ids, key=lambda id: hashlib.sha256(f"{annotator}\n{id}".encode()).digest())

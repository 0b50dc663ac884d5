"""What one annotator labels, in which order, and what the page shows of it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calm.records import LabelledTransition, Task
from data.label.store import LabelStore
from data.screen.view import screen_views

KEYS = "123456789abcdefghijklopqrstvwxy"
"""One key a subgoal, in order; without those of the other answers (m, n, u, z)."""


@dataclass
class Session:
    """What one annotator labels, in an order of their own that tells nothing."""

    annotator: str
    rows: Sequence[LabelledTransition]
    tasks: Mapping[str, Task]
    store: LabelStore
    order: list[LabelledTransition] = field(init=False)

    def __post_init__(self) -> None:
        unique = {r.transition.id: r for r in self.rows}
        self.order = sorted(
            unique.values(),
            key=lambda r: hashlib.sha256(f"{self.annotator}\n{r.transition.id}".encode()).digest(),
        )
        self.by_id = unique

    def done(self) -> set[str]:
        """Ids this annotator has answered."""
        return {label.id for label in self.store.labels(self.annotator)} & self.by_id.keys()

    def next(self) -> LabelledTransition | None:
        """The first transition without an answer."""
        done = self.done()
        return next((r for r in self.order if r.transition.id not in done), None)

    def view(self, row: LabelledTransition | None, notice: str = "") -> dict[str, Any]:
        """What the template shows of a transition: never its truth, its player or its episode."""
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
        t, task = row.transition, self.tasks[row.transition.task]
        screens = screen_views(row)
        number, label = self.store.current(t.id, self.annotator)
        text = next((t.texts[m] for m in ("screen", "crop", "events") if m in t.texts), "")
        ended = "died or reached its goal" if t.terminated else "ran out of time"
        return shared | {
            "id": t.id,
            "task": task.id,
            "goal": task.goal,
            "action": t.action,
            "ended": ended if t.terminated or t.truncated else "",
            "before": screens[0] if screens else None,
            "after": screens[1] if screens else None,
            "text": None if screens else text,
            "subgoals": list(zip(KEYS, task.subgoals, strict=False)),
            "nonce": secrets.token_urlsafe(12),
            "replaces": number,
            "answered": label.kind() if label else "",
        }

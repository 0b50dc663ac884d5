"""A store opened for reading alone, and what has been read of it so far.

Whoever writes the file is neither held up nor noticed, and no look at it reads more than a little,
however large it is.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.watch.judgement_filter import CLASSES, UNREAD
from calm.asking.form import form_of
from calm.errors import StoreError
from calm.records import Verdict
from calm.store.store import Store
from calm.store.tables.browsing import Browsing, CallTotals
from calm.store.tables.contexts import StoredContext, load_subgoals

CALLS = 50_000
"""Calls that are summed up in one look."""


@dataclass
class ModelTotals:
    """What was asked of one model so far."""

    attempts: int = 0
    failed: int = 0
    questions: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0

    def add(self, totals: CallTotals) -> None:
        """Adds what some calls came to."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(totals, name))


def file_of(path: Path) -> tuple[int, int]:
    """Returns device and inode of a file.

    Raises:
        StoreError: it can't be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise StoreError(f"can't read the store {path}: {error.strerror}") from None
    return status.st_dev, status.st_ino


@dataclass
class OpenedStore:
    """An open store with what has been read of it so far."""

    store: Store
    file: tuple[int, int]
    """Device and inode."""
    contexts: dict[int, StoredContext] = field(default_factory=dict)
    names: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Of the subgoals, by context."""
    models: dict[str, ModelTotals] = field(default_factory=dict)
    calls: int = 0
    """That it held at the last look."""
    last_call: int = 0
    """Up to which calls are summed up."""
    _last_change: int = -1
    """The store's change at which it was last looked at."""
    _classes: list[tuple[int, str | None, int]] = field(default_factory=list)
    """Number of answers by context and verdict."""
    _next_count: float = 0.0
    """When classes may be counted again."""

    @property
    def browsing(self) -> Browsing:
        """Returns what reads the store's tables for people."""
        return self.store.tables.browsing

    def look(self) -> bool:
        """Reads what is new, calls up to `CALLS`; returns whether anything may be."""
        change, end = self.browsing.change(), self.browsing.last_call()
        if change == self._last_change and self.last_call >= end:
            return False
        for context in self.browsing.contexts(max(self.contexts, default=0)):
            self.contexts[context.number] = context
            self.names[context.number] = tuple(s.name for s in load_subgoals(context.subgoals))
        self.calls = end
        stop = min(end, self.last_call + CALLS)
        for totals in self.browsing.totals_between(self.last_call, stop):
            if (of := self.contexts.get(totals.context)) is not None:
                self.models.setdefault(of.model, ModelTotals()).add(totals)
        self.last_call = stop
        if time.monotonic() >= self._next_count:
            start = time.thread_time()
            self._classes = self.browsing.classes()
            taken = time.thread_time() - start
            self._next_count = time.monotonic() + 20 * taken  # a twentieth of the time at most
            self._last_change = change
        return True

    def classes(self) -> list[dict[str, Any]]:
        """Returns the number of answers by task, model, description, form and verdict class."""
        counts: dict[tuple[str, str, str, str], Counter[str]] = {}
        for number, verdict, n in self._classes:
            if (of := self.contexts.get(number)) is not None:
                key = (of.task, of.model, of.mode, form_of(of.template).name)
                counts.setdefault(key, Counter())[verdict or UNREAD] += n
        order = [*(verdict.value for verdict in Verdict), UNREAD]
        return [
            {
                "task": task,
                "model": model,
                "mode": mode,
                "form": form,
                "answers": sum(verdicts.values()),
                "verdicts": {v: verdicts[v] for v in order if verdicts[v]},
            }
            for (task, model, mode, form), verdicts in sorted(counts.items())
        ]

    def choices(self) -> dict[str, list[str]]:
        """Returns what a filter of judgements can be set to, but for what they differ from."""
        contexts = self.contexts.values()
        return {
            "task": sorted({c.task for c in contexts if c.task}),
            "model": sorted({c.model for c in contexts}),
            "template": sorted({c.template for c in contexts}),
            "subgoal": sorted({name for names in self.names.values() for name in names}),
            "verdict": list(CLASSES),
        }

"""How `calm annotate` and `calm evaluate` end where answers could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import compress

import numpy as np

from calm.errors import PartialError
from calm.records import Verdict
from data.schema import JudgedTransition
from data.stored import joined


class UnreadableCount:
    """Counts answers as they come, and those among them that can't be read."""

    def __init__(self) -> None:
        self._answers: Counter[str] = Counter()
        self._unreadable: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._last_reason: dict[str, str] = {}

    def add(self, judged: Iterable[JudgedTransition]) -> None:
        """Counts some answers, by judge."""
        for row in judged:
            verdict = row.judgement.verdict
            self._answers[row.judge] += 1
            self._unreadable[row.judge] += not verdict.readable
            self._errors[row.judge] += verdict is Verdict.ERROR
            self._last_reason[row.judge] = row.judgement.reason

    def error(self) -> PartialError | None:
        """Returns the error to end with; None if every answer could be read.

        Of a judge that answered nothing at all it tells the last fault, most likely that of all.
        """
        count = self._unreadable.total()
        if not count:
            return None
        message = (
            f"{count} of {self._answers.total()} answers could not be read; they are counted,"
            " never as a no"
        )
        for judge, answers in self._answers.items():
            if self._errors[judge] == answers:
                message += f". {judge} answered nothing, the last: {self._last_reason[judge]}"
        return PartialError(message)


def distinct(tables: Sequence[Sequence[JudgedTransition]]) -> Iterable[JudgedTransition]:
    """Returns the answers of some tables, each once: two references may have the same."""
    judged = joined(tables)
    if len(tables) == 1:
        return judged
    keys = (hash((r.id, r.judge, r.mode, r.variant, r.sample)) for r in judged)
    _, first = np.unique(np.fromiter(keys, np.int64, len(judged)), return_index=True)
    return compress(judged, np.isin(np.arange(len(judged)), first))


def unreadable(judged: Iterable[JudgedTransition]) -> PartialError | None:
    """Returns the error to end with where some of these answers could not be read, else None."""
    count = UnreadableCount()
    count.add(judged)
    return count.error()

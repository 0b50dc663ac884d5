"""What is in a store, and whether it is as it should be: `calm store stats` and `verify`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from calm.errors import StoreError
from calm.records import Verdict
from calm.store.question import Answer, Context, Reading
from calm.store.store import Store
from calm.store.tables.contexts import load_subgoals

_BLOCK = 1000


class ReadAgain(Protocol):
    """Reads a stored answer anew from its raw reply, as `calm.asking.answer_reader` does."""

    def __call__(self, context: Context, key: bytes, answer: Answer, *, repair: bool) -> Reading:
        """Returns the verdict; of `context` only what decides how to read is filled in."""


def stats(store: Store) -> dict[str, Any]:
    """Returns answers by model, task and class; calls, tokens and cost by model.

    Every attempt counts.
    """
    tables = store.tables
    answers: dict[tuple[str, str, str, str], Counter[str]] = {}
    for kind, model, task, mode, verdict, n in tables.answers.counts():
        answers.setdefault((kind, model, task, mode), Counter())[verdict or "unread"] += n
    models = {
        total.model: {
            "attempts": total.attempts,
            "answered": total.answered,
            "failed": tables.calls.failures(total.model),
            "prompt_tokens": total.prompt_tokens,
            "cached_tokens": total.cached_tokens,
            "completion_tokens": total.completion_tokens,
            "cost": total.cost,
            "calls_of_unknown_price": total.unpriced,
            "seconds": round(total.seconds, 1),
        }
        for total in tables.calls.totals_by_model()
    }
    return {
        "answers": [
            {"kind": k, "model": m, "task": t, "mode": mode, "verdicts": dict(v)}
            for (k, m, t, mode), v in answers.items()
        ],
        "models": models,
        "imported_calls": tables.calls.imported(),
        "texts": tables.answers.texts(),
        "subgoal_sets": tables.subgoal_lists.count(),
        "open_batches": tables.batches.unfinished_count(),
    }


@dataclass
class Audit:
    """What `verify` returns: how many answers were looked at, and what is wrong with the file."""

    answers: int = 0
    unread: int = 0
    """Kept raw and never read: a process was killed in between. They have been read now."""
    stale: int = 0
    """Read otherwise by this version of calm than as stored; counted, not changed."""
    problems: list[str] = field(default_factory=list)
    """What SQLite or the records themselves say is wrong."""


def verify(store: Store, read_again: ReadAgain) -> Audit:
    """Checks the file, the records, and that every answer still reads as it was read.

    Answers that nobody has read yet are read, and that is stored, unless the store is read-only.
    """
    audit = Audit()
    try:
        audit.problems += store.database.problems()
        audit.problems += [
            f"{n} answers refer to {table} that are not there"
            for table, n in store.tables.answers.orphans().items()
            if n
        ]
        last = b""
        while rows := store.tables.answers.judgements_after(last, _BLOCK):
            last = rows[-1].key
            contexts = {key: _context(*parts) for key, *parts in rows}
            _check(store, contexts, read_again, audit)
    except StoreError as error:
        audit.problems.append(str(error))
    return audit


@cache
def _context(subgoals: str, template: str, params: str) -> Context:
    return Context(
        task="",
        subgoals=load_subgoals(subgoals),
        model="",
        template=template,
        params=json.loads(params),
    )


def _check(
    store: Store, contexts: Mapping[bytes, Context], read_again: ReadAgain, audit: Audit
) -> None:
    unread: list[Reading] = []
    for key, answer in store.answers(list(contexts)).items():
        audit.answers += 1
        repair = answer.verdict is Verdict.REPAIRED
        reading = read_again(contexts[key], key, answer, repair=repair)
        if answer.verdict is None:
            unread.append(reading)
        elif (reading.verdict, reading.achieved) != (answer.verdict, answer.achieved):
            audit.stale += 1
    audit.unread += len(unread)
    if unread and not store.readonly:
        store.store_verdicts(unread)

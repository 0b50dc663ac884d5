"""What is in a store, and whether it is as it should be: `calm store stats` and `verify`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from calm.errors import StoreError
from calm.records import Subgoal, Verdict
from calm.store.question import Answer, Context, Settled
from calm.store.store import Store

_BLOCK = 1000


class ReadAgain(Protocol):
    """Reads a stored answer anew from its raw reply, as `calm.asking.settle.settle_stored` does."""

    def __call__(self, context: Context, key: bytes, answer: Answer, *, repair: bool) -> Settled:
        """Returns the verdict; of `context` only what decides how to read is filled in."""


def stats(store: Store) -> dict[str, Any]:
    """Answers by model, task and class; calls, tokens and cost by model, every attempt counted."""
    answers: dict[tuple[str, str, str, str], Counter[str]] = {}
    for kind, model, task, mode, verdict, n in store.database.query(
        "SELECT c.kind, c.model, c.task, c.mode, a.verdict, count(*) FROM answers a"
        " JOIN contexts c ON c.id = a.context GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4"
    ):
        answers.setdefault((kind, model, task, mode), Counter())[verdict or "unread"] += n
    models: dict[str, dict[str, Any]] = {}
    for row in store.database.query(
        "SELECT c.model, count(*), sum(outcome = 'ok'), sum(prompt_tokens), sum(cached_tokens),"
        " sum(completion_tokens), sum(cost), sum(outcome = 'ok' AND cost IS NULL), sum(seconds)"
        " FROM calls JOIN contexts c ON c.id = calls.context"
        " WHERE outcome != 'imported' GROUP BY 1 ORDER BY 1"  # others paid for those
    ):
        outcomes = store.database.query(
            "SELECT outcome, count(*) FROM calls JOIN contexts c ON c.id = calls.context"
            " WHERE c.model = ? AND outcome NOT IN ('ok', 'imported') GROUP BY 1 ORDER BY 2 DESC",
            [row[0]],
        )
        models[row[0]] = {
            "attempts": row[1],
            "answered": row[2],
            "failed": dict(outcomes),
            "prompt_tokens": row[3],
            "cached_tokens": row[4],
            "completion_tokens": row[5],
            "cost": row[6],
            "calls_of_unknown_price": row[7],
            "seconds": round(row[8], 1),
        }
    count = store.database.value
    return {
        "answers": [
            {"kind": k, "model": m, "task": t, "mode": mode, "verdicts": dict(v)}
            for (k, m, t, mode), v in answers.items()
        ],
        "models": models,
        "imported_calls": count("SELECT count(*) FROM calls WHERE outcome = 'imported'"),
        "texts": count("SELECT count(*) FROM texts"),
        "subgoal_sets": count("SELECT count(*) FROM subgoal_sets"),
        "open_batches": count("SELECT count(*) FROM batches WHERE status != 'done'"),
    }


@dataclass
class Audit:
    """What `verify` found."""

    answers: int = 0
    unread: int = 0
    """Kept raw and never read: a process was killed in between. They have been read now."""
    stale: int = 0
    """Read otherwise by this version of calm than as stored; counted, not changed."""
    problems: list[str] = field(default_factory=list)
    """What SQLite or the records themselves say is wrong."""


def verify(store: Store, read_again: ReadAgain) -> Audit:
    """Checks the file, the records, and that every answer still reads as it was read.

    Answers that nobody has read yet are read and settled, unless the store is read-only.
    """
    audit = Audit()
    try:
        said = [str(row[0]) for row in store.database.query("PRAGMA integrity_check(20)")]
        audit.problems += [s for s in said if s != "ok"]
        audit.problems += _orphans(store)
        last = b""
        while rows := store.database.query(
            "SELECT a.key, c.subgoals, c.template, c.params"
            " FROM answers a JOIN contexts c ON c.id = a.context"
            " WHERE c.kind = 'judge' AND a.key > ? ORDER BY a.key LIMIT ?",
            [last, _BLOCK],
        ):
            last = rows[-1][0]
            contexts = {key: _context(*parts) for key, *parts in rows}
            _check(store, contexts, read_again, audit)
    except StoreError as error:
        audit.problems.append(str(error))
    return audit


def _orphans(store: Store) -> list[str]:
    found = []
    for table, column in (("calls", "call"), ("contexts", "context"), ("texts", "text")):
        n = store.database.query(
            f"SELECT count(*) FROM answers a WHERE NOT EXISTS"
            f" (SELECT 1 FROM {table} t WHERE t.id = a.{column})"
        )[0][0]
        if n:
            found.append(f"{n} answers refer to {table} that are not there")
    return found


@cache
def _context(subgoals: str, template: str, params: str) -> Context:
    return Context(
        task="",
        subgoals=tuple(Subgoal(*s) for s in json.loads(subgoals)),
        model="",
        template=template,
        params=json.loads(params),
    )


def _check(
    store: Store, contexts: Mapping[bytes, Context], read_again: ReadAgain, audit: Audit
) -> None:
    unread: list[Settled] = []
    for key, answer in store.answers(list(contexts)).items():
        audit.answers += 1
        repair = answer.verdict is Verdict.REPAIRED
        settled = read_again(contexts[key], key, answer, repair=repair)
        if answer.verdict is None:
            unread.append(settled)
        elif (settled.verdict, settled.achieved) != (answer.verdict, answer.achieved):
            audit.stale += 1
    audit.unread += len(unread)
    if unread and not store.readonly:
        store.store_verdicts(unread)

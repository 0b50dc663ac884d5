"""What is in a store, and whether it is as it should be: `calm store stats` and `verify`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from calm.asking.asker import settle
from calm.asking.parse import read_reply
from calm.asking.prompt import transition_ids
from calm.asking.question import Settled
from calm.errors import StoreError
from calm.records import Verdict
from calm.store.store import Store

_BLOCK = 1000


def stats(store: Store) -> dict[str, Any]:
    """Answers by model, task and class; calls, tokens and cost by model, every attempt counted."""
    answers: dict[tuple[str, str, str, str], Counter[str]] = {}
    for kind, model, task, mode, verdict, n in store.query(
        "SELECT c.kind, c.model, c.task, c.mode, a.verdict, count(*) FROM answers a"
        " JOIN contexts c ON c.id = a.context GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4"
    ):
        answers.setdefault((kind, model, task, mode), Counter())[verdict or "unread"] += n
    models: dict[str, dict[str, Any]] = {}
    for row in store.query(
        "SELECT c.model, count(*), sum(outcome = 'ok'), sum(prompt_tokens), sum(cached_tokens),"
        " sum(completion_tokens), sum(cost), sum(outcome = 'ok' AND cost IS NULL), sum(seconds)"
        " FROM calls JOIN contexts c ON c.id = calls.context"
        " WHERE outcome != 'imported' GROUP BY 1 ORDER BY 1"  # others paid for those
    ):
        outcomes = store.query(
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
    return {
        "answers": [
            {"kind": k, "model": m, "task": t, "mode": mode, "verdicts": dict(v)}
            for (k, m, t, mode), v in answers.items()
        ],
        "models": models,
        "imported_calls": store.query("SELECT count(*) FROM calls WHERE outcome = 'imported'")[0][
            0
        ],
        "texts": store.query("SELECT count(*) FROM texts")[0][0],
        "subgoal_sets": store.query("SELECT count(*) FROM subgoal_sets")[0][0],
        "open_batches": store.query("SELECT count(*) FROM batches WHERE status != 'done'")[0][0],
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


def verify(store: Store) -> Audit:
    """Checks the file, the records, and that every answer still reads as it was read.

    Answers that nobody has read yet are read and settled, unless the store is read-only.
    """
    audit = Audit()
    try:
        said = [str(row[0]) for row in store.query("PRAGMA integrity_check(20)")]
        audit.problems += [s for s in said if s != "ok"]
        audit.problems += _orphans(store)
        last = b""
        while rows := store.query(
            "SELECT a.key, c.subgoals FROM answers a JOIN contexts c ON c.id = a.context"
            " WHERE c.kind = 'judge' AND a.key > ? ORDER BY a.key LIMIT ?",
            [last, _BLOCK],
        ):
            last = rows[-1][0]
            _check(store, {k: [n for n, _ in json.loads(s)] for k, s in rows}, audit)
    except StoreError as error:
        audit.problems.append(str(error))
    return audit


def _orphans(store: Store) -> list[str]:
    found = []
    for table, column in (("calls", "call"), ("contexts", "context"), ("texts", "text")):
        n = store.query(
            f"SELECT count(*) FROM answers a WHERE NOT EXISTS"
            f" (SELECT 1 FROM {table} t WHERE t.id = a.{column})"
        )[0][0]
        if n:
            found.append(f"{n} answers refer to {table} that are not there")
    return found


def _check(store: Store, names: dict[bytes, list[str]], audit: Audit) -> None:
    unread: list[Settled] = []
    for key, answer in store.answers(list(names)).items():
        audit.answers += 1
        ids = transition_ids(answer.items)
        repair = answer.verdict is Verdict.REPAIRED
        parsed = read_reply(answer.reply, names[key], ids, repair=repair)[answer.item]
        if answer.verdict is None:
            unread.append(settle(key, parsed, answer, names[key]))
        elif (parsed.verdict, [int(a) for a in parsed.achieved.values()]) != (
            answer.verdict,
            list(answer.achieved),
        ):
            audit.stale += 1
    audit.unread += len(unread)
    if unread and not store.readonly:
        store.settle(unread)

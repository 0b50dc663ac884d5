"""The store: every answer ever paid for, in one SQLite file that any number of processes share.

An answer's key is the hash of its context (task, mode, subgoals, prompt, model, sampling
parameters), the transition's text and the sample number. What a call brought back is committed raw,
with its usage, before anything tries to read it; so a kill at any moment loses at most the calls in
flight. While a question is being asked a lease on its key keeps other processes from asking it too.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

from calm.endpoint.envelope import Call, Reply, TokenOdds
from calm.errors import UsageError
from calm.records import Mode, Subgoal, Usage, Verdict, subgoals_hash
from calm.store.batches import Batches
from calm.store.database import Database, chunks
from calm.store.leases import Leases
from calm.store.question import Answer, Context, Question, Settled


class Store:
    """The answers in one file, with what is known of endpoints and the lists of subgoals.

    A context manager. Args and errors are those of `Database`.
    """

    def __init__(
        self, path: Path | str | None = None, *, readonly: bool = False, synchronous: str = "NORMAL"
    ) -> None:
        self.database = Database(path, readonly=readonly, synchronous=synchronous)
        self.leases = Leases(self.database)
        self.batches = Batches(self.database)
        self._contexts: dict[str, int] = {}

    @classmethod
    def existing(cls, path: Path) -> Self:
        """Opens a file that must be there.

        Raises:
            UsageError: there is no such file.
            StoreError: as `Database`.
        """
        if not path.is_file():
            raise UsageError(f"no store at {path}; name one with --store")
        return cls(path)

    @property
    def path(self) -> Path | None:
        """The file, None for a store in memory."""
        return self.database.path

    @property
    def readonly(self) -> bool:
        """Whether the file is only read; then whatever would write is a StoreError."""
        return self.database.readonly

    def transaction(self) -> AbstractContextManager[None]:
        """All writes within are committed together; inside another transaction, with that one."""
        return self.database.transaction()

    def close(self) -> None:
        """Closes the file; answers are already in it."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- answers ---------------------------------------------------------------------------------

    def context(self, context: Context) -> int:
        """The row number of a context, made if need be."""
        if (found := self._contexts.get(context.hash)) is not None:
            return found
        number = self._context_number(context)
        if number is None:
            parts = context.components
            self.database.execute(
                "INSERT OR IGNORE INTO contexts (hash, kind, task, mode, subgoals, template,"
                " prompt, model, params) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    context.hash,
                    context.kind,
                    context.task,
                    context.mode,
                    json.dumps([[s.name, s.definition] for s in context.subgoals]),
                    context.template,
                    context.prompt,
                    context.model,
                    parts["params"],
                ],
            )
            number = self._context_number(context)
            assert number is not None
        if not self.database.in_transaction:  # else it may still be rolled back
            self._contexts[context.hash] = number
        return number

    def models(self) -> list[str]:
        """The models that were asked, in alphabetical order."""
        rows = self.database.query("SELECT DISTINCT model FROM contexts ORDER BY 1")
        return [model for (model,) in rows]

    def samples(self, context: Context) -> int:
        """The number of samples of the question of a context that has most; 0 without answers."""
        number = self._context_number(context)
        most = "SELECT max(sample) + 1 FROM answers WHERE context = ?"
        return 0 if number is None else int(self.database.value(most, [number]) or 0)

    def fullest_context(
        self, task: str, subgoals: Sequence[Subgoal], model: str, mode: Mode
    ) -> Context | None:
        """The context of a judge, of this task, list, model and description, with most answers."""
        listed = json.dumps([[s.name, s.definition] for s in subgoals])
        rows = self.database.query(
            "SELECT template, prompt, params FROM contexts c WHERE kind = 'judge' AND task = ?"
            " AND mode = ? AND model = ? AND subgoals = ?"
            " ORDER BY (SELECT count(*) FROM answers a WHERE a.context = c.id) DESC LIMIT 1",
            [task, mode, model, listed],
        )
        if not rows:
            return None
        template, prompt, params = rows[0]
        return Context(task, tuple(subgoals), model, mode, template, prompt, json.loads(params))

    def answered_calls(self, model: str) -> tuple[int, int, int, float]:
        """What a model's calls brought: their number, questions, completion tokens and seconds."""
        rows = self.database.query(
            "SELECT count(*), total(items), total(completion_tokens), total(seconds)"
            " FROM calls JOIN contexts ON contexts.id = calls.context"
            " WHERE contexts.model = ? AND outcome = 'ok' AND prompt_tokens > 0",
            [model],
        )
        calls, items, completion, seconds = rows[0]
        return calls, int(items), int(completion), seconds

    def _context_number(self, context: Context) -> int | None:
        """The row number of a context, None if there is none."""
        rows = self.database.query("SELECT id FROM contexts WHERE hash = ?", [context.hash])
        return int(rows[0][0]) if rows else None

    def answers(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        """The stored answers among `keys`."""
        found: dict[bytes, Answer] = {}
        for chunk in chunks(keys):
            marks = ",".join("?" * len(chunk))
            for row in self.database.query(
                "SELECT a.key, a.verdict, a.achieved, a.confidence, a.reason, a.item, c.items,"
                " c.raw, c.finish, c.refusal, c.odds, c.prompt_tokens, c.cached_tokens,"
                " c.completion_tokens, c.seconds, c.cost, c.served_by, c.request_id,"
                f" {self.message_column('c')}"
                f" FROM answers a JOIN calls c ON c.id = a.call WHERE a.key IN ({marks})",
                chunk,
            ):
                found[row[0]] = Answer(
                    verdict=None if row[1] is None else Verdict(row[1]),
                    achieved=tuple(json.loads(row[2])) if row[2] else (),
                    confidence=tuple(json.loads(row[3])) if row[3] else None,
                    reason=row[4],
                    item=row[5],
                    items=row[6],
                    reply=Reply(
                        text=row[7],
                        finish=row[8],
                        refusal=row[9],
                        odds=_load_odds(row[10]),
                        usage=Usage(1, row[11], row[12], row[13], row[14], row[15]),
                        model=row[16],
                        request_id=row[17],
                        message=row[18],
                    ),
                )
        return found

    def message_column(self, calls: str) -> str:
        """Returns the SQL for a call's whole message; "" in a file of before there were any.

        Such a file is only met where it can't be migrated, as it is open for reading alone.
        """
        return f"{calls}.message" if self.database.schema >= 2 else "''"

    def record(
        self, context: Context, endpoint: str, call: Call, questions: Sequence[Question] = ()
    ) -> None:
        """Commits what a call brought back, unread, under the keys of its questions.

        A failed call has no questions: it is kept for what it cost.
        """
        with self.transaction():
            row = self._call(context, endpoint, call, len(questions))
            self._answered(context, row, enumerate(questions))

    def adopt(
        self, context: Context, endpoint: str, call: Call, items: int, rows: Mapping[int, Question]
    ) -> int:
        """Takes in an answer bought elsewhere, by item; returns how many of its rows were new.

        What this store has an answer to already, it keeps.
        """
        with self.transaction():
            known = self.answers([q.key for q in rows.values()])
            new = {item: q for item, q in rows.items() if q.key not in known}
            if new:
                row = self._call(context, endpoint, call, items)
                self._answered(context, row, new.items())
        return len(new)

    def _call(self, context: Context, endpoint: str, call: Call, items: int) -> int:
        reply = call.reply or Reply("", None)
        return self.database.insert(
            "INSERT INTO calls (context, endpoint, started, seconds, outcome, items, raw,"
            " finish, refusal, odds, detail, request_id, served_by, prompt_tokens,"
            " cached_tokens, completion_tokens, cost, message)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                self.context(context),
                endpoint,
                call.started,
                call.seconds,
                call.outcome,
                items,
                _storable(reply.text),
                reply.finish,
                _storable(reply.refusal),
                _dump_odds(reply.odds),
                _storable(call.detail),
                _storable(reply.request_id),
                _storable(reply.model),
                reply.usage.prompt_tokens,
                reply.usage.cached_tokens,
                reply.usage.completion_tokens,
                call.cost,
                _storable(reply.message),
            ],
        )

    def _answered(
        self, context: Context, call: int, questions: Iterable[tuple[int, Question]]
    ) -> None:
        number = self.context(context)
        self.database.execute_many(
            "INSERT OR REPLACE INTO answers (key, context, text, sample, call, item)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(q.key, number, self._text(q.text), q.sample, call, item) for item, q in questions],
        )

    def _text(self, text: str) -> int:
        text = _storable(text)
        digest = hashlib.sha256(text.encode()).digest()
        self.database.execute(
            "INSERT OR IGNORE INTO texts (hash, text) VALUES (?, ?)", [digest, text]
        )
        return int(self.database.query("SELECT id FROM texts WHERE hash = ?", [digest])[0][0])

    def paid(self, context: Context) -> Usage:
        """What every attempt at questions of this context has cost, whoever asked; not imports."""
        number = self._context_number(context)
        if number is None:
            return Usage(cost=0.0)
        rows = self.database.query(
            "SELECT count(*), total(prompt_tokens), total(cached_tokens), total(completion_tokens),"
            " total(seconds), total(cost), total(cost IS NULL AND outcome = 'ok') FROM calls"
            " WHERE context = ? AND outcome != 'imported'",
            [number],
        )
        requests, prompt, cached, completion, seconds, cost, unpriced = rows[0]
        known = None if unpriced else cost
        return Usage(requests, int(prompt), int(cached), int(completion), seconds, known)

    def store_verdicts(self, settled: Iterable[Settled]) -> None:
        """Commits how answers were read, and gives back the leases on them."""
        rows = list(settled)
        with self.transaction():
            self.database.execute_many(
                "UPDATE answers SET verdict = ?, achieved = ?, confidence = ?, reason = ?"
                " WHERE key = ?",
                [
                    (
                        s.verdict.value,
                        json.dumps(s.achieved) if s.achieved else None,
                        json.dumps([round(c, 6) for c in s.confidence]) if s.confidence else None,
                        _storable(s.reason),
                        s.key,
                    )
                    for s in rows
                ],
            )
            self.leases.free([s.key for s in rows])

    def fill(self, context: Context, keys: Sequence[bytes]) -> None:
        """Puts one and the same good answer under many keys: for the bench and for tests."""
        number = self.context(context)
        yes = json.dumps([1] * len(context.subgoals))
        raw = json.dumps(dict.fromkeys((s.name for s in context.subgoals), True))
        with self.transaction():
            call = self._call(context, "", Call(0.0, 0.0, reply=Reply(raw)), 1)
            text = self._text("")
            self.database.execute_many(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, 0, ?, 0, 'ok', ?, NULL, '')",
                ((key, number, text, call, yes) for key in keys),
            )

    # --- cards and subgoals ----------------------------------------------------------------------

    def card(self, endpoint: str, model: str) -> dict[str, Any]:
        """What is known of an endpoint's abilities; {} if nothing."""
        rows = self.database.query(
            "SELECT card FROM cards WHERE endpoint = ? AND model = ?", [endpoint, model]
        )
        return dict(json.loads(rows[0][0])) if rows else {}

    def keep_card(self, endpoint: str, model: str, card: Mapping[str, Any]) -> None:
        """Adds to what is known of an endpoint's abilities."""
        card = self.card(endpoint, model) | dict(card)
        self.database.execute(
            "INSERT OR REPLACE INTO cards (endpoint, model, card) VALUES (?, ?, ?)",
            [endpoint, model, json.dumps(card, sort_keys=True)],
        )

    def keep_subgoals(self, task: str, subgoals: Sequence[Subgoal], source: str) -> str:
        """Keeps a list of subgoals under its hash, which is returned."""
        name = subgoals_hash(subgoals)
        self.database.execute(
            "INSERT OR IGNORE INTO subgoal_sets (hash, task, subgoals, source, created)"
            " VALUES (?, ?, ?, ?, ?)",
            [
                name,
                task,
                json.dumps([[s.name, s.definition] for s in subgoals]),
                source,
                time.time(),
            ],
        )
        return name

    def subgoal_sets(self, task: str | None = None) -> dict[str, tuple[Subgoal, ...]]:
        """The lists of subgoals kept, by hash, newest first."""
        where, values = ("", []) if task is None else (" WHERE task = ?", [task])
        rows = self.database.query(
            f"SELECT hash, subgoals FROM subgoal_sets{where} ORDER BY created DESC", values
        )
        return {name: tuple(Subgoal(*s) for s in json.loads(text)) for name, text in rows}


def _storable(text: str) -> str:
    """The text as SQLite can hold it: lone surrogates replaced, NUL kept out."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _dump_odds(odds: Sequence[TokenOdds]) -> str | None:
    if not odds:
        return None
    return json.dumps([[o.token, round(o.logprob, 5), dict(o.top)] for o in odds])


def _load_odds(text: str | None) -> tuple[TokenOdds, ...]:
    return tuple(TokenOdds(*o) for o in json.loads(text)) if text else ()

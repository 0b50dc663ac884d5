"""Looks through a store's judgements as they are, a little at a time, while others write them.

No statement here reads a whole table: of answers a stretch of texts, or what an index holds of a
few; of calls the last ones, or a stretch by number. Answers are looked through from the text that
is newest in the file to the oldest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from calm.store.database import Database, chunks
from calm.store.tables.calls import message_column
from calm.store.tables.contexts import StoredContext


class Place(NamedTuple):
    """Where a look through the answers has come to: what is older comes next."""

    text: int
    context: int
    key: bytes

    @classmethod
    def before(cls, text: int) -> Place:
        """Returns the place before all answers about a text, by its row number."""
        return cls(text, 1 << 62, b"")


class JudgementOutline(NamedTuple):
    """What tells one judgement from another, without its words."""

    key: bytes
    context: int
    text: int
    sample: int
    verdict: str | None
    """None: kept, but not read yet."""
    achieved: str | None
    """JSON [0, 1, ...] in the order of the context's subgoals."""

    @property
    def place(self) -> Place:
        """Returns where it stands among the others."""
        return Place(self.text, self.context, self.key)


class JudgementWords(NamedTuple):
    """One judgement with its words: what was asked, what came back, how that was read."""

    key: bytes
    context: int
    sample: int
    verdict: str | None
    achieved: str | None
    confidence: str | None
    reason: str
    item: int
    text: str
    call: int
    items: int
    raw: str
    finish: str | None
    refusal: str
    started: float
    seconds: float
    endpoint: str
    served_by: str
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    message: str


class CallOutline(NamedTuple):
    """One attempt to get an answer."""

    number: int
    context: int
    started: float
    seconds: float
    outcome: str
    items: int
    raw: str
    detail: str


class CallTotals(NamedTuple):
    """What some attempts at questions of one context took; imported ones are not counted."""

    context: int
    attempts: int
    failed: int
    questions: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    unpriced: int
    """Answered calls of unknown price."""
    seconds: float


class Browsing:
    """The statements that look through a store's file."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def change(self) -> int:
        """Returns a number that is another one once somebody else has written."""
        return int(self._db.value("PRAGMA data_version"))

    def contexts(self, after: int = 0) -> list[StoredContext]:
        """Returns the contexts of judgements whose row numbers are greater, in their order."""
        rows = self._db.query(
            "SELECT id, kind, task, mode, subgoals, prompt, model, params, template FROM contexts"
            " WHERE kind = 'judge' AND id > ? ORDER BY id",
            [after],
        )
        return [StoredContext(*row) for row in rows]

    # --- answers ---------------------------------------------------------------------------------

    def newest(self) -> Place:
        """Returns the place before all answers."""
        return Place.before(int(self._db.value("SELECT coalesce(max(id), 0) FROM texts")))

    def older(
        self, place: Place, contexts: Sequence[int], texts: int, most: int
    ) -> list[JudgementOutline]:
        """Returns the answers that come next after a place, newest text first.

        Args:
            place: only what is older.
            contexts: only answers of these.
            texts: how many texts' numbers are looked at.
            most: answers to return.
        """
        rows = self._db.query(
            "SELECT a.key, a.context, a.text, a.sample, a.verdict, a.achieved"
            " FROM answers a INDEXED BY answers_by_text"
            " WHERE a.text > ? AND a.text <= ? AND (a.text, a.context, a.key) < (?, ?, ?)"
            " AND +a.context IN (SELECT value FROM json_each(?))"
            " ORDER BY a.text DESC, a.context DESC, a.key DESC LIMIT ?",
            [place.text - texts, place.text, *place, json.dumps(list(contexts)), most],
        )
        return [JudgementOutline(*row) for row in rows]

    def all_of_class(
        self, contexts: Sequence[int], verdict: str | None, most: int
    ) -> list[JudgementOutline] | None:
        """Returns all answers of one class, newest text first; None where there are more than so
        many.

        Args:
            contexts: only answers of these.
            verdict: the class; None for what is not read yet.
            most: answers.
        """
        is_of = "a.verdict IS NULL" if verdict is None else "a.verdict = ?"
        values = [json.dumps(list(contexts)), *([] if verdict is None else [verdict]), most + 1]
        rows = self._db.query(
            "SELECT a.key, a.context, a.text, a.sample, a.verdict, a.achieved"
            " FROM answers a INDEXED BY answers_by_context"
            f" WHERE a.context IN (SELECT value FROM json_each(?)) AND {is_of} LIMIT ?",
            values,
        )
        if len(rows) > most:
            return None
        outlines = [JudgementOutline(*row) for row in rows]
        return sorted(outlines, key=lambda outline: outline.place, reverse=True)

    def texts(self, numbers: Sequence[int]) -> dict[int, str]:
        """Returns texts by their row numbers."""
        rows = self._db.query(
            "SELECT id, text FROM texts WHERE id IN (SELECT value FROM json_each(?))",
            [json.dumps(list(numbers))],
        )
        return dict(rows)

    def words(self, keys: Sequence[bytes]) -> dict[bytes, JudgementWords]:
        """Returns the judgements among `keys` with their words."""
        words: dict[bytes, JudgementWords] = {}
        for chunk in chunks(keys):
            rows = self._db.query(
                "SELECT a.key, a.context, a.sample, a.verdict, a.achieved, a.confidence, a.reason,"
                " a.item, t.text, a.call, c.items, c.raw, c.finish, c.refusal, c.started,"
                " c.seconds, c.endpoint, c.served_by, c.prompt_tokens, c.completion_tokens, c.cost,"
                f" {message_column(self._db, 'c')} FROM answers a"
                " JOIN texts t ON t.id = a.text JOIN calls c ON c.id = a.call"
                f" WHERE a.key IN ({','.join('?' * len(chunk))})",
                chunk,
            )
            words |= {row[0]: JudgementWords(*row) for row in rows}
        return words

    def of_calls(
        self, context: int, calls: Sequence[int], most: int, texts: int
    ) -> list[tuple[bytes, int]]:
        """Returns the answers that came in calls of one context: key and call of each.

        Nothing in the file leads from a call to its answers. So all answers of the context are
        looked at where these are few, and else those about the newest texts, which are what new
        calls are mostly about; an answer about an older text is not among them then.

        Args:
            most: answers of a context that are few.
            texts: the newest ones that are looked at.
        """
        numbers = json.dumps(list(calls))
        few = self._db.value(
            "SELECT count(*) <= ? FROM (SELECT 1 FROM answers INDEXED BY answers_by_context"
            " WHERE context = ? LIMIT ?)",
            [most, context, most + 1],
        )
        if few:
            return self._db.query(
                "SELECT key, call FROM answers INDEXED BY answers_by_context WHERE context = ?"
                " AND call IN (SELECT value FROM json_each(?))",
                [context, numbers],
            )
        return self._db.query(
            "SELECT key, call FROM answers INDEXED BY answers_by_text"
            " WHERE text > (SELECT max(id) - ? FROM texts) AND context = ?"
            " AND call IN (SELECT value FROM json_each(?))",
            [texts, context, numbers],
        )

    def classes(self) -> list[tuple[int, str | None, int]]:
        """Returns the number of answers by context and verdict class, from the index alone."""
        rows = self._db.query(
            "SELECT context, verdict, count(*) FROM answers INDEXED BY answers_by_context"
            " GROUP BY context, verdict"
        )
        return [(context, verdict, n) for context, verdict, n in rows]

    # --- calls -----------------------------------------------------------------------------------

    def last_call(self) -> int:
        """Returns the row number of the last call, 0 where there is none."""
        return int(self._db.value("SELECT coalesce(max(id), 0) FROM calls"))

    def last_calls(self, most: int) -> list[CallOutline]:
        """Returns the last calls about transitions, the newest first."""
        rows = self._db.query(
            "SELECT k.id, k.context, k.started, k.seconds, k.outcome, k.items, k.raw, k.detail"
            " FROM calls k JOIN contexts c ON c.id = k.context WHERE c.kind = 'judge'"
            " ORDER BY k.id DESC LIMIT ?",
            [most],
        )
        return [CallOutline(*row) for row in rows]

    def totals_between(self, first: int, last: int) -> list[CallTotals]:
        """Returns what the calls with row numbers in (first, last] took, by context."""
        rows = self._db.query(
            "SELECT context, count(*), total(outcome != 'ok'),"
            " total(CASE outcome WHEN 'ok' THEN items END), total(prompt_tokens),"
            " total(completion_tokens), total(cost), total(outcome = 'ok' AND cost IS NULL),"
            " total(seconds) FROM calls"
            " WHERE id > ? AND id <= ? AND outcome != 'imported' GROUP BY context",
            [first, last],
        )
        return [_totals(row) for row in rows]

    def asked_now(self, now: float) -> int:
        """Returns how many questions are being asked, by their leases.

        Args:
            now: seconds since 1970.
        """
        return int(self._db.value("SELECT count(*) FROM leases WHERE expires > ?", [now]))


def _totals(row: tuple[Any, ...]) -> CallTotals:
    context, attempts, failed, questions, prompt, completion, cost, unpriced, seconds = row
    return CallTotals(
        context,
        attempts,
        int(failed),
        int(questions),
        int(prompt),
        int(completion),
        cost,
        int(unpriced),
        seconds,
    )

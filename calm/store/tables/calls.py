"""The table of calls: every attempt to get an answer, failed ones included, as it came."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from calm.endpoint.envelope import Call, Reply, TokenOdds
from calm.records import Usage
from calm.store.database import Database, storable


class ModelTotals(NamedTuple):
    """What all attempts to ask one model took; imported answers, which others paid for, apart."""

    model: str
    attempts: int
    answered: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: float | None
    """US dollars of the calls whose price is known; None if no price is."""
    unpriced: int
    """Answered calls of unknown price."""
    seconds: float


class Calls:
    """The calls in a store's file."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, context: int, endpoint: str, call: Call, items: int) -> int:
        """Adds a call to a context by its row number; returns the call's row number.

        Args:
            items: questions asked in it.
        """
        reply = call.reply or Reply("", None)
        return self._db.insert(
            "INSERT INTO calls (context, endpoint, started, seconds, outcome, items, raw,"
            " finish, refusal, odds, detail, request_id, served_by, prompt_tokens,"
            " cached_tokens, completion_tokens, cost, message)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                context,
                endpoint,
                call.started,
                call.seconds,
                call.outcome,
                items,
                storable(reply.text),
                reply.finish,
                storable(reply.refusal),
                dump_odds(reply.odds),
                storable(call.detail),
                storable(reply.request_id),
                storable(reply.model),
                reply.usage.prompt_tokens,
                reply.usage.cached_tokens,
                reply.usage.completion_tokens,
                call.cost,
                storable(reply.message),
            ],
        )

    def paid(self, context: int) -> Usage:
        """Returns what every attempt at questions of a context has cost, imports not counted.

        The cost is None if that of an answered call is not known.
        """
        rows = self._db.query(
            "SELECT count(*), total(prompt_tokens), total(cached_tokens), total(completion_tokens),"
            " total(seconds), total(cost), total(cost IS NULL AND outcome = 'ok') FROM calls"
            " WHERE context = ? AND outcome != 'imported'",
            [context],
        )
        requests, prompt, cached, completion, seconds, cost, unpriced = rows[0]
        known = None if unpriced else cost
        return Usage(requests, int(prompt), int(cached), int(completion), seconds, known)

    def answered(self, model: str) -> tuple[int, int, int, float]:
        """Returns a model's answered calls, their questions, completion tokens, and seconds."""
        rows = self._db.query(
            "SELECT count(*), total(items), total(completion_tokens), total(seconds)"
            " FROM calls JOIN contexts ON contexts.id = calls.context"
            " WHERE contexts.model = ? AND outcome = 'ok' AND prompt_tokens > 0",
            [model],
        )
        calls, items, completion, seconds = rows[0]
        return calls, int(items), int(completion), seconds

    def totals_by_model(self) -> list[ModelTotals]:
        """Returns what each model took, in alphabetical order."""
        rows = self._db.query(
            "SELECT c.model, count(*), sum(outcome = 'ok'), sum(prompt_tokens), sum(cached_tokens),"
            " sum(completion_tokens), sum(cost), sum(outcome = 'ok' AND cost IS NULL), sum(seconds)"
            " FROM calls JOIN contexts c ON c.id = calls.context"
            " WHERE outcome != 'imported' GROUP BY 1 ORDER BY 1"
        )
        return [ModelTotals(*row) for row in rows]

    def failures(self, model: str) -> dict[str, int]:
        """Returns how often a model's calls failed, by what went wrong, the most frequent first."""
        rows = self._db.query(
            "SELECT outcome, count(*) FROM calls JOIN contexts c ON c.id = calls.context"
            " WHERE c.model = ? AND outcome NOT IN ('ok', 'imported') GROUP BY 1 ORDER BY 2 DESC",
            [model],
        )
        return dict(rows)

    def imported(self) -> int:
        """Returns the number of calls that came from another store."""
        return int(self._db.value("SELECT count(*) FROM calls WHERE outcome = 'imported'"))


def message_column(database: Database, calls: str) -> str:
    """Returns the SQL for a call's whole message; "" in a file of before there were any.

    Such a file is only met where it can't be migrated, as it is open for reading alone.

    Args:
        calls: the table's name in the statement.
    """
    return f"{calls}.message" if database.schema >= 2 else "''"


def dump_odds(odds: Sequence[TokenOdds]) -> str | None:
    """Returns log-probabilities as JSON, None where there are none."""
    if not odds:
        return None
    return json.dumps([[o.token, round(o.logprob, 5), dict(o.top)] for o in odds])


def load_odds(text: str | None) -> tuple[TokenOdds, ...]:
    """Returns the log-probabilities that `dump_odds` wrote."""
    return tuple(TokenOdds(*o) for o in json.loads(text)) if text else ()

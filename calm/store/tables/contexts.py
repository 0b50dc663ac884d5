"""The table of contexts: what questions have in common, all of a key but text and sample number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from calm.records import Mode, Subgoal
from calm.store.database import Database
from calm.store.question import Context


class StoredContext(NamedTuple):
    """A context as it stands in its row."""

    number: int
    kind: str
    task: str
    mode: str
    subgoals: str
    """JSON [[name, definition], ...]"""
    prompt: str
    model: str
    params: str
    """JSON object"""
    template: str


class Contexts:
    """The contexts in a store's file."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._numbers: dict[str, int] = {}

    def number(self, context: Context) -> int | None:
        """Returns the row number of a context, None if there is none."""
        if context.hash in self._numbers:
            return self._numbers[context.hash]
        rows = self._db.query("SELECT id FROM contexts WHERE hash = ?", [context.hash])
        if not rows:
            return None
        number = int(rows[0][0])
        if not self._db.in_transaction:  # else it may still be rolled back
            self._numbers[context.hash] = number
        return number

    def add(self, context: Context) -> int:
        """Returns the row number of a context, which is added if it is new."""
        if (number := self.number(context)) is None:
            self._db.execute(
                "INSERT OR IGNORE INTO contexts (hash, kind, task, mode, subgoals, template,"
                " prompt, model, params) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    context.hash,
                    context.kind,
                    context.task,
                    context.mode,
                    dump_subgoals(context.subgoals),
                    context.template,
                    context.prompt,
                    context.model,
                    context.components["params"],
                ],
            )
            number = self.number(context)
            assert number is not None
        return number

    def models(self) -> list[str]:
        """Returns the models that were asked, in alphabetical order."""
        rows = self._db.query("SELECT DISTINCT model FROM contexts ORDER BY 1")
        return [model for (model,) in rows]

    def prompts(self) -> list[tuple[str, str]]:
        """Returns the prompts that were used: name of the template and hash, in that order."""
        return [
            (template, prompt)
            for template, prompt in self._db.query(
                "SELECT DISTINCT template, prompt FROM contexts ORDER BY 1, 2"
            )
        ]

    def fullest(
        self,
        task: str,
        subgoals: Sequence[Subgoal],
        model: str,
        mode: Mode,
        templates: Sequence[str] = (),
    ) -> Context | None:
        """Returns the context of a judge, of this task, list, model and description, that has most
        answers; None if there is none.

        Args:
            templates: only one that was asked with one of these; any if empty.
        """
        among = f" AND template IN ({','.join('?' * len(templates))})" if templates else ""
        rows = self._db.query(
            "SELECT template, prompt, params FROM contexts c WHERE kind = 'judge' AND task = ?"
            f" AND mode = ? AND model = ? AND subgoals = ?{among}"
            " ORDER BY (SELECT count(*) FROM answers a WHERE a.context = c.id) DESC LIMIT 1",
            [task, mode, model, dump_subgoals(subgoals), *templates],
        )
        if not rows:
            return None
        template, prompt, params = rows[0]
        return Context(task, tuple(subgoals), model, mode, template, prompt, json.loads(params))

    def with_answers(self) -> list[StoredContext]:
        """Returns the contexts that have an answer."""
        rows = self._db.query(
            "SELECT id, kind, task, mode, subgoals, prompt, model, params, template FROM contexts c"
            " WHERE EXISTS (SELECT 1 FROM answers a WHERE a.context = c.id)"
        )
        return [StoredContext(*row) for row in rows]


def dump_subgoals(subgoals: Sequence[Subgoal]) -> str:
    """Returns a list of subgoals as its JSON in the store."""
    return json.dumps([[s.name, s.definition] for s in subgoals])


def load_subgoals(text: str) -> tuple[Subgoal, ...]:
    """Returns the list of subgoals that `dump_subgoals` wrote."""
    return tuple(Subgoal(*s) for s in json.loads(text))

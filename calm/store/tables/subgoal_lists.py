"""The table of lists of subgoals, as they were named by a model, given with a task, or edited."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace

from calm.records import Subgoal, subgoals_hash
from calm.store.database import Database


class SubgoalLists:
    """The lists of subgoals in a store's file, by their hash."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, task: str, subgoals: Sequence[Subgoal], source: str) -> str:
        """Adds a list under its hash, which is returned.

        One that is there stays as it is, but for what names nothing: newer times count, and newer
        statements where there are any.

        Args:
            source: who named them, such as `openai:MODEL`.
        """
        name = subgoals_hash(subgoals)
        with self._db.transaction():
            rows = self._db.query("SELECT subgoals FROM subgoal_sets WHERE hash = ?", [name])
            if rows and not any(s.statements for s in subgoals):
                pairs = zip(subgoals, _load(rows[0][0]), strict=True)
                subgoals = [replace(new, statements=old.statements) for new, old in pairs]
            self._db.execute(
                "INSERT INTO subgoal_sets (hash, task, subgoals, source, created)"
                " VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (hash) DO UPDATE SET subgoals = excluded.subgoals"
                " WHERE subgoals != excluded.subgoals",
                [name, task, _dump(subgoals), source, time.time()],
            )
        return name

    def lists(self, task: str | None = None) -> dict[str, tuple[Subgoal, ...]]:
        """Returns the lists by hash, newest first.

        Args:
            task: only those of this task; None for all.
        """
        where, values = ("", []) if task is None else (" WHERE task = ?", [task])
        rows = self._db.query(
            f"SELECT hash, subgoals FROM subgoal_sets{where} ORDER BY created DESC", values
        )
        return {name: _load(text) for name, text in rows}

    def count(self) -> int:
        """Returns the number of lists."""
        return int(self._db.value("SELECT count(*) FROM subgoal_sets"))


def _dump(subgoals: Sequence[Subgoal]) -> str:
    """Returns a list as JSON: name and definition of each, and what more it has."""
    rows: list[list[object]] = []
    for s in subgoals:
        more = [list(s.statements), s.times] if s.times > 1 else [list(s.statements)]
        rows.append([s.name, s.definition, *(more if s.statements or s.times > 1 else [])])
    return json.dumps(rows)


def _load(text: str) -> tuple[Subgoal, ...]:
    """Returns the list that `_dump` wrote."""
    return tuple(
        Subgoal(name, definition, tuple(more[0]) if more else (), more[1] if more[1:] else 1)
        for name, definition, *more in json.loads(text)
    )

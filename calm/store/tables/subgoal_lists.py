"""The table of lists of subgoals, as they were named by a model, given with a task, or edited."""

from __future__ import annotations

import time
from collections.abc import Sequence

from calm.records import Subgoal, subgoals_hash
from calm.store.database import Database
from calm.store.tables.contexts import dump_subgoals, load_subgoals


class SubgoalLists:
    """The lists of subgoals in a store's file, by their hash."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, task: str, subgoals: Sequence[Subgoal], source: str) -> str:
        """Adds a list under its hash, which is returned; one that is there stays as it is.

        Args:
            source: who named them, such as `openai:MODEL`.
        """
        name = subgoals_hash(subgoals)
        self._db.execute(
            "INSERT OR IGNORE INTO subgoal_sets (hash, task, subgoals, source, created)"
            " VALUES (?, ?, ?, ?, ?)",
            [name, task, dump_subgoals(subgoals), source, time.time()],
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
        return {name: load_subgoals(text) for name, text in rows}

    def count(self) -> int:
        """Returns the number of lists."""
        return int(self._db.value("SELECT count(*) FROM subgoal_sets"))

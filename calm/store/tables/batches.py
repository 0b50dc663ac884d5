"""The table of jobs handed to a Batch API.

A job is added before it is sent, so that a killed run finds it again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from calm.store.database import Database


class BatchJob(NamedTuple):
    """Names a job that is not done, and its questions."""

    tag: str
    """Our name for it, which the endpoint keeps too."""
    remote: str | None
    """The endpoint's name for it; None until it has answered with one."""
    questions: dict[str, list[tuple[str, int]]]
    """By row of the job, the texts and sample numbers asked in it."""


class Batches:
    """The jobs in a store's file."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self, context: int, endpoint: str, tag: str, questions: Mapping[str, Sequence[object]]
    ) -> None:
        """Adds a job that is about to be sent, for a context by its row number."""
        self._db.execute(
            "INSERT INTO batches (context, endpoint, tag, status, keys, created)"
            " VALUES (?, ?, ?, 'new', ?, ?)",
            [context, endpoint, tag, json.dumps(questions), time.time()],
        )

    def unfinished(self, context: int, endpoint: str) -> list[BatchJob]:
        """Returns the jobs of a context that are not done, oldest first."""
        rows = self._db.query(
            "SELECT tag, remote, keys FROM batches WHERE context = ? AND endpoint = ?"
            " AND status IN ('new', 'waiting') ORDER BY id",
            [context, endpoint],
        )
        return [BatchJob(tag, remote, json.loads(keys)) for tag, remote, keys in rows]

    def mark(self, tag: str, status: str, remote: str) -> None:
        """Sets how far a job is (`waiting` or `done`), and the endpoint's name for it."""
        self._db.execute(
            "UPDATE batches SET status = ?, remote = ? WHERE tag = ?", [status, remote, tag]
        )

    def unfinished_count(self) -> int:
        """Returns the number of jobs that are not done."""
        return int(self._db.value("SELECT count(*) FROM batches WHERE status != 'done'"))

    def close(self, tag: str) -> None:
        """Marks a job as done, whatever it brought."""
        self._db.execute("UPDATE batches SET status = 'done' WHERE tag = ?", [tag])

"""Takes the rows of another store's file into this one: the statements of `calm.store.merge`.

The other file is attached as `source` and only read. Calls and answers refer to rows by numbers of
their own file, so each call is first mapped to its row here: one that is here already, as after a
merge that was stopped, is not added again.
"""

from __future__ import annotations

from typing import Any

from calm.store.database import Database

_CALL = (
    "endpoint, started, seconds, outcome, items, raw, finish, refusal, odds, detail, request_id,"
    " served_by, prompt_tokens, cached_tokens, completion_tokens, cost"
)


class Merging:
    """The statements that merge an attached file into a store's.

    Args:
        database: of the store that takes the rows.
        source: URI of the file, as SQLite opens it.
    """

    def __init__(self, database: Database, source: str) -> None:
        self._db = database
        database.query("ATTACH DATABASE ? AS source", [source])
        version = int(database.value("PRAGMA source.user_version"))
        self._message = "message" if version >= 2 else "''"

    def close(self) -> None:
        """Lets go of the attached file."""
        for table in ("mapped", "known"):
            self._db.query(f"DROP TABLE IF EXISTS temp.{table}")
        self._db.query("DETACH DATABASE source")

    def add_nouns(self) -> None:
        """Adds contexts, cards and lists of subgoals that are not here; those that are stay."""
        with self._db.transaction():
            columns = "hash, kind, task, mode, subgoals, template, prompt, model, params"
            self._db.execute(
                f"INSERT OR IGNORE INTO main.contexts ({columns})"
                f" SELECT {columns} FROM source.contexts"
            )
            for table in ("cards", "subgoal_sets"):
                self._db.execute(f"INSERT OR IGNORE INTO main.{table} SELECT * FROM source.{table}")

    def open_batches(self) -> int:
        """Returns the number of the file's jobs of a Batch API that are not done."""
        return int(self._db.value("SELECT count(*) FROM source.batches WHERE status != 'done'"))

    def begin_calls(self) -> None:
        """Makes the tables by which calls are recognised."""
        self._db.query("DROP TABLE IF EXISTS temp.mapped")
        self._db.query("DROP TABLE IF EXISTS temp.known")
        self._db.query("CREATE TEMP TABLE mapped (source INTEGER PRIMARY KEY, call INTEGER)")
        self._db.query(
            "CREATE TEMP TABLE known AS"
            " SELECT id, context, started, seconds, outcome FROM main.calls"
        )
        self._db.query("CREATE INDEX temp.known_by_start ON known (context, started, seconds)")

    def last_call(self) -> int:
        """Returns the greatest row number of the file's calls; 0 for none."""
        return int(self._db.value("SELECT coalesce(max(id), 0) FROM source.calls"))

    def add_calls(self, first: int, last: int) -> None:
        """Adds the calls with row numbers in (first, last] that are not here, and maps all."""
        among = "s.id > ? AND s.id <= ?"
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO temp.mapped SELECT s.id, (SELECT k.id FROM temp.known k"
                " JOIN main.calls c ON c.id = k.id"
                " WHERE k.context = m.id AND k.started = s.started AND k.seconds = s.seconds"
                " AND k.outcome = s.outcome AND c.raw = s.raw AND c.request_id = s.request_id"
                " AND c.endpoint = s.endpoint)"
                " FROM source.calls s JOIN source.contexts x ON x.id = s.context"
                f" JOIN main.contexts m ON m.hash = x.hash WHERE {among}",
                [first, last],
            )
            base = self._db.value("SELECT coalesce(max(id), 0) FROM main.calls")
            self._db.execute(
                "UPDATE temp.mapped SET call = ? + new.rank FROM (SELECT source AS id,"
                " row_number() OVER (ORDER BY source) AS rank FROM temp.mapped"
                " WHERE call IS NULL AND source > ?) AS new WHERE source = new.id",
                [base, first],
            )
            self._db.execute(
                f"INSERT INTO main.calls (id, context, {_CALL}, message)"
                f" SELECT p.call, m.id, {_prefixed('s', _CALL)},"
                f" {'s.message' if self._message == 'message' else self._message}"
                " FROM source.calls s JOIN temp.mapped p ON p.source = s.id"
                " JOIN source.contexts x ON x.id = s.context"
                " JOIN main.contexts m ON m.hash = x.hash"
                f" WHERE {among} AND NOT EXISTS (SELECT 1 FROM main.calls c WHERE c.id = p.call)",
                [first, last],
            )

    def end_of_block(self, key: bytes, most: int) -> bytes | None:
        """Returns the last key of the file's next `most` answers after one; None at the end."""
        rows = self._db.query(
            "SELECT max(key) FROM"
            " (SELECT key FROM source.answers WHERE key > ? ORDER BY key LIMIT ?)",
            [key, most],
        )
        last: bytes | None = rows[0][0]
        return last

    def conflicts(self, first: bytes, last: bytes) -> list[tuple[Any, ...]]:
        """Returns the questions with keys in (first, last] that have another answer here.

        A row holds key, task, model, text, and verdict and raw reply here and in the file.
        """
        return self._db.query(
            "SELECT s.key, x.task, x.model, t.text, a.verdict, c.raw, s.verdict, k.raw"
            " FROM source.answers s JOIN main.answers a ON a.key = s.key"
            " JOIN source.calls k ON k.id = s.call JOIN main.calls c ON c.id = a.call"
            " JOIN source.contexts x ON x.id = s.context JOIN source.texts t ON t.id = s.text"
            " WHERE s.key > ? AND s.key <= ?"
            " AND (c.raw != k.raw OR c.refusal != k.refusal OR a.item != s.item)"
            " ORDER BY s.key",
            [first, last],
        )

    def add_answers(self, first: bytes, last: bytes) -> tuple[int, int]:
        """Adds the answers with keys in (first, last] that are not here.

        Returns:
            How many were new, and how many there were.
        """
        among = "s.key > ? AND s.key <= ?"
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO main.texts (hash, text) SELECT t.hash, t.text"
                f" FROM source.answers s JOIN source.texts t ON t.id = s.text WHERE {among}",
                [first, last],
            )
            before = int(self._db.value("SELECT total_changes()"))
            self._db.execute(
                "INSERT OR IGNORE INTO main.answers SELECT s.key, m.id, n.id, s.sample, p.call,"
                " s.item, s.verdict, s.achieved, s.confidence, s.reason FROM source.answers s"
                " JOIN source.contexts x ON x.id = s.context"
                " JOIN main.contexts m ON m.hash = x.hash"
                " JOIN source.texts t ON t.id = s.text JOIN main.texts n ON n.hash = t.hash"
                f" JOIN temp.mapped p ON p.source = s.call WHERE {among}",
                [first, last],
            )
            new = int(self._db.value("SELECT total_changes()")) - before
            of = self._db.value(
                f"SELECT count(*) FROM source.answers s WHERE {among}", [first, last]
            )
        return new, int(of)


def _prefixed(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{column.strip()}" for column in columns.split(","))

"""People's labels in one SQLite file: only ever added to, and on the disk before they are "saved".

An answer given again replaces the one before it and an undone one no longer counts, but every row
stays in the file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from calm.errors import UsageError
from calm.records import content_hash
from data.schema import ENGINE, Label, label_of, label_row

APPLICATION_ID = 0x43414C4C  # "CALL"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    seq INTEGER PRIMARY KEY,
    nonce TEXT NOT NULL UNIQUE,       -- made by the page: a retry is not a second answer
    id TEXT NOT NULL,
    annotator TEXT NOT NULL,
    achieved TEXT NOT NULL,           -- JSON list of names
    asked TEXT NOT NULL,              -- JSON list of names
    unsure INTEGER NOT NULL,
    seconds REAL NOT NULL,
    at TEXT NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0
)
"""


def check_annotator(name: str) -> str:
    """The name without blanks around it.

    Raises:
        UsageError: it is empty, longer than 64 characters, not printable, or the engine's.
    """
    name = name.strip()
    if not name or len(name) > 64 or not name.isprintable() or name == ENGINE:
        raise UsageError(
            f"an annotator's name has 1 to 64 printable characters and is not {ENGINE!r},"
            f" got {name!r}"
        )
    return name


class LabelStore:
    """Labels of any number of annotators; a context manager.

    Raises:
        UsageError: the file is no SQLite database, or another program's. It is left as it is.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # The web server calls from its own threads; the lock keeps them in turn.
            self._db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._db.close()
            raise self._unusable(error) from error
        except UsageError:
            self._db.close()
            raise

    def _unusable(self, error: Exception) -> UsageError:
        return UsageError(f"{self.path}: cannot be used as a file of labels: {error}")

    def _prepare(self) -> None:
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        ours = self._db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        if tables and not ours:
            raise UsageError(f"{self.path}: another program's database; name another file")
        self._db.execute("PRAGMA journal_mode = WAL")
        # FULL: a label that was said to be saved survives a power cut too.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._db.execute(_SCHEMA)

    def add(self, label: Label, nonce: str) -> None:
        """Keeps an answer; the same nonce again changes nothing."""
        with self._lock:
            self._db.execute(
                "INSERT OR IGNORE INTO answers (nonce, id, annotator, achieved, asked, unsure,"
                " seconds, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    nonce,
                    label.id,
                    label.annotator,
                    json.dumps(label.achieved),
                    json.dumps(label.asked),
                    int(label.unsure),
                    label.seconds,
                    label.at,
                ],
            )

    def undo(self, annotator: str) -> str | None:
        """Takes back an annotator's last answer; returns its transition's id, None without any."""
        with self._lock:
            row = self._db.execute(
                "SELECT seq, id FROM answers WHERE annotator = ? AND undone = 0"
                " ORDER BY seq DESC LIMIT 1",
                [annotator],
            ).fetchone()
            if row is None:
                return None
            self._db.execute("UPDATE answers SET undone = 1 WHERE seq = ?", [row[0]])
            return str(row[1])

    def labels(self, annotator: str | None = None) -> list[Label]:
        """The answers that count, in the order they were given; of all annotators or of one."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id, annotator, achieved, asked, unsure, seconds, at FROM answers a"
                " WHERE undone = 0 AND (? IS NULL OR annotator = ?) AND seq = (SELECT max(seq)"
                " FROM answers b WHERE b.id = a.id AND b.annotator = a.annotator AND b.undone = 0)"
                " ORDER BY seq",
                [annotator, annotator],
            ).fetchall()
        names = ("id", "annotator", "achieved", "asked", "unsure", "seconds", "at")
        return [
            label_of(
                dict(zip(names, row, strict=True))
                | {
                    "achieved": json.loads(row[2]),
                    "asked": json.loads(row[3]),
                    "unsure": bool(row[4]),
                }
            )
            for row in rows
        ]

    def merge(self, labels: Iterable[Label]) -> int:
        """Adds labels from elsewhere; returns how many were new. Doing it twice changes nothing."""
        known = set(self.labels())
        new = [label for label in labels if label not in known]
        for label in new:
            self.add(label, f"import:{_hash_of(label)}")
        return len(new)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> LabelStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _hash_of(label: Label) -> str:
    """Names a label by its content."""
    return content_hash(label_row(label))

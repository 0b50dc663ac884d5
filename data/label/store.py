"""People's labels in one SQLite file: only ever added to, and on the disk before they are "saved".

An answer given again replaces the one before it and an undone one no longer counts, but every row
stays in the file. There is no other file to copy along: each answer is in this one once it is
saved, whatever ends the program.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from calm.errors import UsageError
from calm.records import content_hash
from data.schema import ENGINE, PEOPLE, Label, label_of, label_row

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
_ADDED = ("reads", "set", "page")
"""Columns that files of earlier releases lack; they get them when they are opened."""

_COLUMNS = ("id", "annotator", "achieved", "asked", "unsure", "seconds", "at", *_ADDED)
_SELECTED = ", ".join(f'"{name}"' for name in _COLUMNS)


def check_annotator(name: str) -> str:
    """Returns a name without blanks around it.

    Raises:
        UsageError: it is empty, longer than 64 characters, not printable, or the engine's.
    """
    name = name.strip()
    if not 0 < len(name) <= 64 or not name.isprintable() or name.lower() in (ENGINE, PEOPLE):
        raise UsageError(
            f"an annotator's name has 1 to 64 printable characters and is not {ENGINE!r},"
            f" got {name!r}"
        )
    return name


class AnsweredElsewhere(UsageError):
    """The annotator has answered in another window meanwhile; nothing was changed."""

    def __init__(self, label: Label | None) -> None:
        what = "took it back" if label is None else f"answered {label.kind()!r}"
        super().__init__(f"in another window you {what} meanwhile; this answer was not saved")
        self.label = label
        """The answer that counts now; None where there is none."""


class LabelStore:
    """Labels of any number of annotators; a context manager.

    Args:
        path: of the file, which is made if need be.
        readonly: never write; the file must be there.

    Raises:
        UsageError: the file is no SQLite database, or another program's. It is left as it is.
    """

    def __init__(self, path: str | Path, *, readonly: bool = False) -> None:
        self.path = Path(path)
        self._lock = Lock()
        try:
            if not readonly:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            name = f"{self.path.resolve().as_uri()}{'?mode=ro' if readonly else ''}"
            # The web server calls from its own threads; the lock keeps them in turn.
            self._db = sqlite3.connect(
                name, uri=True, check_same_thread=False, isolation_level=None
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._check()
            if not readonly:
                self._prepare()
            if not (there := self._columns()):
                raise UsageError(f"{self.path}: holds no labels")
            self._selected = ", ".join(f'"{c}"' if c in there else "''" for c in _COLUMNS)
        except sqlite3.Error as error:
            self._db.close()
            raise self._unusable(error) from error
        except UsageError:
            self._db.close()
            raise

    def _unusable(self, error: Exception) -> UsageError:
        return UsageError(f"{self.path}: cannot be used as a file of labels: {error}")

    def _check(self) -> None:
        """Raises a UsageError where the file is another program's."""
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        ours = self._db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        if tables and not ours:
            raise UsageError(f"{self.path}: another program's database; name another file")

    def _columns(self) -> set[str]:
        return {row[1] for row in self._db.execute("PRAGMA table_info(answers)")}

    def _prepare(self) -> None:
        # No WAL: whoever copies this one file has every label, also while it is being written.
        self._db.execute("PRAGMA journal_mode = DELETE")
        # FULL: a label that was said to be saved survives a power cut too.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._db.execute(_SCHEMA)
        there = self._columns()
        for name in _ADDED:
            if name not in there:
                self._db.execute(
                    f"ALTER TABLE answers ADD COLUMN \"{name}\" TEXT NOT NULL DEFAULT ''"
                )

    def add(self, label: Label, nonce: str, replaces: int | None = None) -> None:
        """Keeps an answer; the same answer with the same nonce again changes nothing.

        Args:
            label: the answer.
            nonce: names the attempt, so that a retry is not a second answer.
            replaces: the number of the answer that the annotator saw as theirs, 0 for none; None
                replaces whatever there is.

        Raises:
            AnsweredElsewhere: another answer counts than the one that was seen, or this nonce
                came with another answer before.
        """
        values = [
            label.id,
            label.annotator,
            json.dumps(label.achieved),
            json.dumps(label.asked),
            int(label.unsure),
        ]
        with self._transaction():
            known = self._db.execute(
                "SELECT id, annotator, achieved, asked, unsure FROM answers WHERE nonce = ?",
                [nonce],
            ).fetchone()
            if known is not None and list(known) == values:
                return
            number, current = self._current(label.id, label.annotator)
            if known is not None or replaces not in (None, number):
                raise AnsweredElsewhere(current)
            self._db.execute(
                f"INSERT INTO answers ({_SELECTED}, nonce) VALUES ({', '.join('?' * 11)})",
                [*values, label.seconds, label.at, label.reads, label.set, label.page, nonce],
            )

    def current(self, id: str, annotator: str) -> tuple[int, Label | None]:
        """Returns number and label of an annotator's answer that counts; (0, None) without one."""
        with self._lock:
            return self._current(id, annotator)

    def annotators(self) -> list[str]:
        """Returns the names of all who ever answered, sorted."""
        with self._lock:
            rows = self._db.execute("SELECT DISTINCT annotator FROM answers").fetchall()
        return sorted(name for (name,) in rows)

    def history(self, id: str, annotator: str) -> list[Label]:
        """Returns all answers of an annotator about a transition, undone ones too, oldest first."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {self._selected} FROM answers WHERE id = ? AND annotator = ? ORDER BY seq",
                [id, annotator],
            ).fetchall()
        return [_label(row) for row in rows]

    def last(self, annotator: str) -> int:
        """Returns the number of an annotator's last answer that is not undone; 0 for none."""
        with self._lock:
            return self._last(annotator)[0]

    def undo(self, annotator: str, number: int | None = None) -> str | None:
        """Takes back an annotator's last answer; returns its transition's id, None without any.

        Args:
            annotator: whose.
            number: of the answer that the annotator saw as the last; one that is undone already
                stays so, and nothing else is undone.

        Raises:
            AnsweredElsewhere: another answer is the last one.
        """
        with self._transaction():
            last, id = self._last(annotator)
            if number is not None and number != last:
                undone = self._db.execute(
                    "SELECT id FROM answers WHERE seq = ? AND annotator = ? AND undone = 1",
                    [number, annotator],
                ).fetchone()
                if undone is None:
                    raise AnsweredElsewhere(self._current(id, annotator)[1] if id else None)
                return str(undone[0])
            self._db.execute("UPDATE answers SET undone = 1 WHERE seq = ?", [last])
            return id

    def _last(self, annotator: str) -> tuple[int, str | None]:
        row = self._db.execute(
            "SELECT seq, id FROM answers WHERE annotator = ? AND undone = 0"
            " ORDER BY seq DESC LIMIT 1",
            [annotator],
        ).fetchone()
        return (0, None) if row is None else (int(row[0]), str(row[1]))

    def _current(self, id: str, annotator: str) -> tuple[int, Label | None]:
        row = self._db.execute(
            f"SELECT seq, {self._selected} FROM answers"
            " WHERE id = ? AND annotator = ? AND undone = 0 ORDER BY seq DESC LIMIT 1",
            [id, annotator],
        ).fetchone()
        return (0, None) if row is None else (int(row[0]), _label(row[1:]))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Keeps other threads and other processes out until all is written, or nothing is."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def labels(self, annotator: str | None = None) -> list[Label]:
        """Returns the answers that count, oldest first; of all annotators or of one."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {self._selected} FROM answers a"
                " WHERE undone = 0 AND (? IS NULL OR annotator = ?) AND seq = (SELECT max(seq)"
                " FROM answers b WHERE b.id = a.id AND b.annotator = a.annotator AND b.undone = 0)"
                " ORDER BY seq",
                [annotator, annotator],
            ).fetchall()
        return [_label(row) for row in rows]

    def merge(self, labels: Iterable[Label]) -> int:
        """Adds labels from elsewhere; returns how many were new. Doing it twice changes nothing."""
        known = set(self.labels())
        new = [label for label in labels if label not in known]
        for label in new:
            self.add_from_elsewhere(label)
        return len(new)

    def add_from_elsewhere(self, label: Label) -> None:
        """Adds one label that no page of this store took; it counts from now on."""
        number, _ = self.current(label.id, label.annotator)
        self.add(label, f"import:{_hash_of(label)}:{number}")

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


def _label(row: Sequence[Any]) -> Label:
    """Returns the label of a row of `_COLUMNS`."""
    value = dict(zip(_COLUMNS, row, strict=True))
    lists = {name: json.loads(value[name]) for name in ("achieved", "asked")}
    return label_of(value | lists | {"unsure": bool(value["unsure"])})

"""One SQLite file that many processes share: opening, migrating, transactions, clear errors.

The one file of this layer that imports `sqlite3`. WAL with `synchronous=NORMAL` survives a killed
process; `FULL` survives a power cut as well.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from calm.errors import StoreError
from calm.store.file_system import network_file_system
from calm.store.schema import APPLICATION_ID, MIGRATIONS

log = logging.getLogger(__name__)

_MAGIC = b"SQLite format 3\0"
DAMAGED = (
    "damaged and was left as it is; put back a copy, or name another store (SQLite's own"
    " `sqlite3 FILE .recover` may save a part)"
)
_STILL = "to be opened as a file that nobody writes"
_CHUNK = 500  # keys in one SQL statement


def chunks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Yields the keys in portions that one SQL statement takes."""
    for i in range(0, len(keys), _CHUNK):
        yield keys[i : i + _CHUNK]


def storable(text: str) -> str:
    """Returns the text as SQLite can hold it: lone surrogates and NUL are replaced."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _is_foreign(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"can't read the store {path}: {error}") from None
    return head not in (b"", _MAGIC)


def _may_only_read(path: Path) -> bool:
    """Returns whether a file is there and must not be written, by its rights or its folder's.

    A file without any right to write is one that someone has set so, also where root could write.
    """
    if not path.is_file():
        return False
    places = (path, path.resolve().parent)
    return any(not os.access(p, os.W_OK) or not p.stat().st_mode & 0o222 for p in places)


class Database:
    """Opens the file at `path`, made if need be; a context manager.

    Args:
        path: file, or None for one in memory.
        readonly: never write; the file must be there. A file that may not be written is opened so
            in any case (see `readonly`).
        synchronous: SQLite's own; `FULL` also survives a power cut and is slower.

    Raises:
        StoreError: it is no database, belongs to another program, comes from a newer version, or
            can't be opened; the file is left as it is.
    """

    def __init__(
        self, path: Path | str | None = None, *, readonly: bool = False, synchronous: str = "NORMAL"
    ) -> None:
        self.path = None if path is None else Path(path)
        self.readonly = readonly = readonly or (self.path is not None and _may_only_read(self.path))
        """Whether the file is only read; then whatever would write is a StoreError."""
        self._lock = threading.RLock()
        self._network = None if self.path is None else network_file_system(self.path)
        if self._network is not None and not readonly:
            raise StoreError(
                f"{self.path} is on {self._network}, which can't hold a store: SQLite is damaged"
                " there without a word. Have one process hold it on a local disk and ask through it"
                " (`calm owner serve`), or take a local file for each machine and bring them"
                " together afterwards (`calm store merge`)"
            )
        if self.path is not None and not readonly:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"can't make the folder of the store {self.path}: {error}"
                ) from None
        if self.path is not None and _is_foreign(self.path):
            raise StoreError(f"{self.path} is not a database; name another file with --store")
        with self._explained():
            self._db = self._connect()
            try:
                try:
                    if self._network is not None:  # no file of SQLite's own may be made there
                        raise sqlite3.OperationalError(_STILL)
                    version = self._version()  # before anything is written: it may not be ours
                except sqlite3.OperationalError as error:
                    self._db.close()
                    self._db = self._connect_still(error)
                    version = self._version()
                if not readonly:
                    self._begin_wal()
                    self._db.execute(f"PRAGMA synchronous = {synchronous}")
                self._migrate(version)
            except BaseException:
                self._db.close()
                raise

    @property
    def in_transaction(self) -> bool:
        """Returns whether what was written last may still be rolled back."""
        return self._db.in_transaction

    # --- opening -------------------------------------------------------------------------------

    def _connect_still(self, error: sqlite3.OperationalError) -> sqlite3.Connection:
        """Opens a file as one that nobody writes, where SQLite can't make files of its own.

        Raises:
            StoreError: what was written last is not in the file yet, and can't be had here.
            sqlite3.OperationalError: `error`, where it says something else.
        """
        name = getattr(error, "sqlite_errorname", "") or ""
        stuck = name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")) or str(error) == _STILL
        if not self.readonly or not stuck:
            raise error
        assert self.path is not None
        log_file = Path(f"{self.path.resolve()}-wal")
        if log_file.exists() and log_file.stat().st_size:
            raise StoreError(
                f"the store {self.path} was not closed, and what was written last is still in"
                f" {log_file.name}, which can't be read in a folder that can't be written or is on"
                " a network: copy both files to another folder, and name the store there"
            )
        return self._connect("?immutable=1")

    def _connect(self, how: str = "") -> sqlite3.Connection:
        name = ":memory:"
        if self.path is not None:
            how = how or ("?mode=ro" if self.readonly else "")
            name = self.path.resolve().as_uri() + how
        self.uri = name
        """How SQLite was told to open the file."""
        db = sqlite3.connect(
            name, uri=True, timeout=60, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA foreign_keys = OFF")  # keys are hashes; rows are only ever added
        return db

    def _begin_wal(self) -> None:
        """Switches to WAL. SQLite does not wait for others here, whatever the timeout; we do."""
        for attempt in range(600):
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or attempt == 599:
                    raise
                time.sleep(0.1)
            else:
                return

    def _migrate(self, version: int) -> None:
        self.schema = len(MIGRATIONS)
        """The version of the file's tables; an older one where they are only read."""
        if version == len(MIGRATIONS):
            return
        if version > len(MIGRATIONS):
            raise StoreError(
                f"the store {self.path} has schema {version}, this version of calm knows up to"
                f" {len(MIGRATIONS)}; upgrade calm, or name another store"
            )
        if self.readonly and version:
            self.schema = version
            return
        with self.transaction():
            for migration in MIGRATIONS[self._version() :]:
                # executescript would commit in between.
                for statement in re.sub(r"--.*", "", migration).split(";"):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        if version:
            log.info("store %s brought from schema %d to %d", self.path, version, len(MIGRATIONS))

    def _version(self) -> int:
        # One snapshot: another process may be making the store between two of these.
        alone = not self._db.in_transaction
        if alone:
            self._db.execute("BEGIN")
        try:
            application = self._db.execute("PRAGMA application_id").fetchone()[0]
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        finally:
            if alone:
                self._db.execute("COMMIT")
        if application != APPLICATION_ID and (tables or version):
            raise StoreError(
                f"{self.path} is another program's database; nothing was changed."
                " Name another file for the store"
            )
        return version

    # --- plumbing ------------------------------------------------------------------------------

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns SQLite's errors into ours, which say what to do."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or ""
            text = str(error)
            if name.startswith("SQLITE_FULL"):
                advice = (
                    "the disk is full; free some space and run again: all answers so far are kept"
                )
            elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                advice = f"the file is {DAMAGED}"
            elif name.startswith(("SQLITE_READONLY", "SQLITE_PERM")):
                advice = "it can't be written; check its permissions, or name another store"
            elif name.startswith("SQLITE_CANTOPEN"):
                advice = "it can't be opened; check the path and its permissions"
            elif name.startswith("SQLITE_BUSY"):
                advice = "another process has kept it locked for a minute; end that one, or wait"
            else:
                raise StoreError(f"the store {self.path}: {text}") from error
            raise StoreError(f"the store {self.path}: {advice} ({text})") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits all writes within together; inside another transaction, with that one."""
        with self._lock, self._explained():
            if self._db.in_transaction:
                yield
                return
            if self.readonly:
                raise StoreError(
                    f"the store {self.path} can only be read; name another with --store, or allow"
                    " writing to it and its folder"
                )
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.OperationalError):  # SQLite may have rolled back itself
                    self._db.execute("ROLLBACK")
                raise

    def query(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Returns the rows of a SELECT."""
        with self._lock, self._explained():
            return self._db.execute(sql, values).fetchall()

    def value(self, sql: str, values: Sequence[object] = ()) -> Any:
        """Returns the one value of a SELECT of one row, such as a count."""
        return self.query(sql, values)[0][0]

    def problems(self) -> list[str]:
        """Returns what SQLite says is wrong with the file, up to twenty lines; [] if nothing."""
        lines = [str(row[0]) for row in self.query("PRAGMA integrity_check(20)")]
        return [line for line in lines if line != "ok"]

    def copy_to(self, path: Path) -> None:
        """Writes the file as it is now to a new one, without what others write meanwhile."""
        with self._explained():
            self._db.execute("VACUUM INTO ?", (str(path),))

    def execute(self, sql: str, values: Sequence[object] = ()) -> None:
        """Runs and commits one statement."""
        with self.transaction():
            self._db.execute(sql, values)

    def insert(self, sql: str, values: Sequence[object]) -> int:
        """Runs and commits one INSERT; returns the row's number."""
        with self.transaction():
            row = self._db.execute(sql, values).lastrowid
        assert row is not None
        return row

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one statement for each row of values, and commits them together."""
        with self.transaction():
            self._db.executemany(sql, rows)

    def close(self) -> None:
        """Closes the file; answers are already in it."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

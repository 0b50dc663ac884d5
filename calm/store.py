"""The store: every answer ever paid for, in one SQLite file that any number of processes share.

An answer's key is the hash of its context (task, mode, subgoals, prompt, model, sampling
parameters), the transition's text and the sample number. What a call brought back is committed raw,
with its usage, before anything tries to read it; so a kill at any moment loses at most the calls in
flight. While a question is being asked a lease on its key keeps other processes from asking it too.

WAL with `synchronous=NORMAL` survives a killed process; `FULL` survives a power cut as well.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import socket
import sqlite3
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from calm.errors import StoreError
from calm.question import Answer, Call, Context, Question, Settled
from calm.records import Subgoal, Usage, Verdict, subgoals_hash
from calm.reply import Reply, TokenOdds
from calm.schema import APPLICATION_ID, MIGRATIONS

log = logging.getLogger(__name__)

_MAGIC = b"SQLite format 3\0"
_CHUNK = 500  # keys in one SQL statement


def _chunks(items: Sequence[bytes], size: int = _CHUNK) -> Iterator[Sequence[bytes]]:
    for i in range(0, len(items), size):
        yield items[i : i + size]


class Store:
    """Opens the store at `path`, made if need be; a context manager.

    Args:
        path: file, or None for a store in memory.
        readonly: never write; the file must be there.
        synchronous: SQLite's own; `FULL` also survives a power cut and is slower.

    Raises:
        StoreError: it belongs to another program, comes from a newer version, or can't be opened.
            A file that is no database at all is moved aside with a warning instead.
    """

    def __init__(
        self, path: Path | str | None = None, *, readonly: bool = False, synchronous: str = "NORMAL"
    ) -> None:
        self.path = None if path is None else Path(path)
        self.readonly = readonly
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self._lock = threading.RLock()
        self._contexts: dict[str, int] = {}
        if self.path is not None and not readonly:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"can't make the folder of the store {self.path}: {error}"
                ) from None
        if self.path is not None and self._is_foreign():
            if readonly:
                raise StoreError(f"{self.path} is not a database")
            self._move_aside()
        with self._explained():
            self._db = self._connect()
            try:
                version = self._version()  # before anything is written: it may not be ours
                if not readonly:
                    self._begin_wal()
                    self._db.execute(f"PRAGMA synchronous = {synchronous}")
                self._migrate(version)
            except BaseException:
                self._db.close()
                raise

    # --- opening -------------------------------------------------------------------------------

    def _is_foreign(self) -> bool:
        assert self.path is not None
        try:
            with self.path.open("rb") as file:
                head = file.read(len(_MAGIC))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"can't read the store {self.path}: {error}") from None
        return head not in (b"", _MAGIC)

    def _move_aside(self) -> None:
        assert self.path is not None
        stamp = time.strftime("%Y%m%d-%H%M%S")
        aside = self.path.with_name(f"{self.path.name}.not-a-database-{stamp}-{os.getpid()}")
        for suffix in ("", "-wal", "-shm"):
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        warnings.warn(
            f"{self.path} is not a database; moved to {aside} and a new store begun", stacklevel=3
        )

    def _connect(self) -> sqlite3.Connection:
        name = ":memory:"
        if self.path is not None:
            name = self.path.resolve().as_uri() + ("?mode=ro" if self.readonly else "")
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
        if version == len(MIGRATIONS):
            return
        if version > len(MIGRATIONS):
            raise StoreError(
                f"the store {self.path} has schema {version}, this version of calm knows up to"
                f" {len(MIGRATIONS)}; upgrade calm, or name another store"
            )
        if self.readonly:
            raise StoreError(
                f"the store {self.path} has the older schema {version}; open it once for writing"
            )
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
                advice = (
                    "the file is damaged and was left as it is; `calm store verify` says how far,"
                    " `calm store export` saves what can still be read"
                )
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
        """All writes within are committed together; inside another transaction, with that one."""
        with self._lock, self._explained():
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.OperationalError):  # SQLite may have rolled back itself
                    self._db.execute("ROLLBACK")
                raise

    def query(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a SELECT."""
        with self._lock, self._explained():
            return self._db.execute(sql, values).fetchall()

    def execute(self, sql: str, values: Sequence[object] = ()) -> None:
        """Runs and commits one statement."""
        with self.transaction():
            self._db.execute(sql, values)

    def close(self) -> None:
        """Closes the file; answers are already in it."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- answers -------------------------------------------------------------------------------

    def context(self, context: Context) -> int:
        """The row number of a context, made if need be."""
        if (found := self._contexts.get(context.hash)) is not None:
            return found
        rows = self.query("SELECT id FROM contexts WHERE hash = ?", [context.hash])
        if not rows:
            parts = context.components
            self.execute(
                "INSERT OR IGNORE INTO contexts (hash, kind, task, mode, subgoals, template,"
                " prompt, model, params) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    context.hash,
                    context.kind,
                    context.task,
                    context.mode,
                    json.dumps([[s.name, s.definition] for s in context.subgoals]),
                    context.template,
                    context.prompt,
                    context.model,
                    parts["params"],
                ],
            )
            rows = self.query("SELECT id FROM contexts WHERE hash = ?", [context.hash])
        self._contexts[context.hash] = int(rows[0][0])
        return self._contexts[context.hash]

    def answers(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        """The stored answers among `keys`."""
        found: dict[bytes, Answer] = {}
        for chunk in _chunks(keys):
            marks = ",".join("?" * len(chunk))
            for row in self.query(
                "SELECT a.key, a.verdict, a.achieved, a.confidence, a.reason, a.item, c.items,"
                " c.raw, c.finish, c.refusal, c.odds, c.prompt_tokens, c.cached_tokens,"
                " c.completion_tokens, c.seconds, c.cost, c.served_by, c.request_id"
                f" FROM answers a JOIN calls c ON c.id = a.call WHERE a.key IN ({marks})",
                chunk,
            ):
                found[row[0]] = Answer(
                    verdict=None if row[1] is None else Verdict(row[1]),
                    achieved=tuple(json.loads(row[2])) if row[2] else (),
                    confidence=tuple(json.loads(row[3])) if row[3] else None,
                    reason=row[4],
                    item=row[5],
                    items=row[6],
                    reply=Reply(
                        text=row[7],
                        finish=row[8],
                        refusal=row[9],
                        odds=_load_odds(row[10]),
                        usage=Usage(1, row[11], row[12], row[13], row[14], row[15]),
                        model=row[16],
                        request_id=row[17],
                    ),
                )
        return found

    def record(
        self, context: Context, endpoint: str, call: Call, questions: Sequence[Question] = ()
    ) -> None:
        """Commits what a call brought back, unread, under the keys of its questions.

        A failed call has no questions: it is kept for what it cost. Answers already there stay.
        """
        number = self.context(context)
        reply = call.reply or Reply("", None)
        with self.transaction():
            cursor = self._db.execute(
                "INSERT INTO calls (context, endpoint, started, seconds, outcome, items, raw,"
                " finish, refusal, odds, detail, request_id, served_by, prompt_tokens,"
                " cached_tokens, completion_tokens, cost)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                [
                    number,
                    endpoint,
                    call.started,
                    call.seconds,
                    call.outcome,
                    len(questions),
                    _storable(reply.text),
                    reply.finish,
                    _storable(reply.refusal),
                    _dump_odds(reply.odds),
                    _storable(call.detail),
                    _storable(reply.request_id),
                    _storable(reply.model),
                    reply.usage.prompt_tokens,
                    reply.usage.cached_tokens,
                    reply.usage.completion_tokens,
                    call.cost,
                ],
            )
            row = cursor.lastrowid
            for item, question in enumerate(questions):
                self._db.execute(
                    "INSERT OR REPLACE INTO answers (key, context, text, sample, call, item)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    [question.key, number, self._text(question.text), question.sample, row, item],
                )

    def adopt(
        self, context: Context, endpoint: str, call: Call, items: int, rows: Mapping[int, Question]
    ) -> int:
        """Takes in an answer bought elsewhere, by item; returns how many of its rows were new.

        What this store has an answer to already, it keeps.
        """
        with self.transaction():
            known = self.answers([q.key for q in rows.values()])
            new = {item: q for item, q in rows.items() if q.key not in known}
            if new:
                self.record(context, endpoint, call, [])
                row = self._db.execute("SELECT max(id) FROM calls").fetchone()[0]
                self._db.execute("UPDATE calls SET items = ? WHERE id = ?", [items, row])
                number = self.context(context)
                self._db.executemany(
                    "INSERT INTO answers (key, context, text, sample, call, item)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (q.key, number, self._text(q.text), q.sample, row, item)
                        for item, q in new.items()
                    ],
                )
        return len(new)

    def _text(self, text: str) -> int:
        text = _storable(text)
        digest = hashlib.sha256(text.encode()).digest()
        self._db.execute("INSERT OR IGNORE INTO texts (hash, text) VALUES (?, ?)", [digest, text])
        row = self._db.execute("SELECT id FROM texts WHERE hash = ?", [digest]).fetchone()
        return int(row[0])

    def settle(self, settled: Iterable[Settled]) -> None:
        """Commits how answers were read, and gives back the leases on them."""
        rows = list(settled)
        with self.transaction():
            self._db.executemany(
                "UPDATE answers SET verdict = ?, achieved = ?, confidence = ?, reason = ?"
                " WHERE key = ?",
                [
                    (
                        s.verdict.value,
                        json.dumps(s.achieved) if s.achieved else None,
                        json.dumps([round(c, 6) for c in s.confidence]) if s.confidence else None,
                        _storable(s.reason),
                        s.key,
                    )
                    for s in rows
                ],
            )
            self._db.executemany("DELETE FROM leases WHERE key = ?", [(s.key,) for s in rows])

    def fill(self, context: Context, keys: Sequence[bytes]) -> None:
        """Puts one and the same good answer under many keys: for the bench and for tests."""
        number = self.context(context)
        yes = json.dumps([1] * len(context.subgoals))
        raw = json.dumps(dict.fromkeys((s.name for s in context.subgoals), True))
        with self.transaction():
            call = self._db.execute(
                "INSERT INTO calls (context, endpoint, started, seconds, outcome, items, raw,"
                " finish, refusal, detail, request_id, served_by, prompt_tokens, cached_tokens,"
                " completion_tokens)"
                " VALUES (?, '', 0, 0, 'ok', 1, ?, 'stop', '', '', '', '', 0, 0, 0)",
                [number, raw],
            ).lastrowid
            text = self._text("")
            self._db.executemany(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, 0, ?, 0, 'ok', ?, NULL, '')",
                ((key, number, text, call, yes) for key in keys),
            )

    # --- leases --------------------------------------------------------------------------------

    def claim(self, keys: Sequence[bytes], owner: str, seconds: float) -> set[bytes]:
        """Takes a lease on those of `keys` that are neither answered nor leased to others.

        A lease ends when settled, released, after `seconds`, or when its process on this machine
        is gone.
        """
        now = time.time()
        ours: set[bytes] = set()
        with self.transaction():
            for chunk in _chunks(keys):
                marks = ",".join("?" * len(chunk))
                taken = {
                    row[0]
                    for row in self._db.execute(
                        f"SELECT key FROM answers WHERE key IN ({marks})", chunk
                    )
                }
                held = self._db.execute(
                    f"SELECT key, owner, expires FROM leases WHERE key IN ({marks})", chunk
                )
                taken |= {
                    key for key, by, until in held if by != owner and until > now and _alive(by)
                }
                ours.update(k for k in chunk if k not in taken)
            self._db.executemany(
                "INSERT OR REPLACE INTO leases (key, owner, expires) VALUES (?, ?, ?)",
                [(key, owner, now + seconds) for key in ours],
            )
        return ours

    def renew(self, owner: str, seconds: float) -> None:
        """Puts off the end of all of an owner's leases."""
        self.execute(
            "UPDATE leases SET expires = ? WHERE owner = ?", [time.time() + seconds, owner]
        )

    def release(self, owner: str, keys: Sequence[bytes] | None = None) -> None:
        """Gives back an owner's leases: all, or those on `keys`."""
        with self.transaction():
            if keys is None:
                self._db.execute("DELETE FROM leases WHERE owner = ?", [owner])
            else:
                self._db.executemany(
                    "DELETE FROM leases WHERE owner = ? AND key = ?", [(owner, k) for k in keys]
                )

    def free(self, keys: Sequence[bytes]) -> None:
        """Ends the leases on `keys`, whoever holds them."""
        with self.transaction():
            self._db.executemany("DELETE FROM leases WHERE key = ?", [(k,) for k in keys])

    def forget(self, keys: Sequence[bytes]) -> None:
        """Drops answers, so that they are asked again; their calls and cost stay on the books."""
        with self.transaction():
            self._db.executemany("DELETE FROM answers WHERE key = ?", [(k,) for k in keys])

    # --- cards and subgoals --------------------------------------------------------------------

    def card(self, endpoint: str, model: str) -> dict[str, Any]:
        """What is known of an endpoint's abilities; {} if nothing."""
        rows = self.query(
            "SELECT card FROM cards WHERE endpoint = ? AND model = ?", [endpoint, model]
        )
        return dict(json.loads(rows[0][0])) if rows else {}

    def keep_card(self, endpoint: str, model: str, card: Mapping[str, Any]) -> None:
        """Adds to what is known of an endpoint's abilities."""
        card = self.card(endpoint, model) | dict(card)
        self.execute(
            "INSERT OR REPLACE INTO cards (endpoint, model, card) VALUES (?, ?, ?)",
            [endpoint, model, json.dumps(card, sort_keys=True)],
        )

    def keep_subgoals(self, task: str, subgoals: Sequence[Subgoal], source: str) -> str:
        """Keeps a list of subgoals under its hash, which is returned."""
        name = subgoals_hash(subgoals)
        self.execute(
            "INSERT OR IGNORE INTO subgoal_sets (hash, task, subgoals, source, created)"
            " VALUES (?, ?, ?, ?, ?)",
            [
                name,
                task,
                json.dumps([[s.name, s.definition] for s in subgoals]),
                source,
                time.time(),
            ],
        )
        return name

    def subgoal_sets(self, task: str | None = None) -> dict[str, tuple[Subgoal, ...]]:
        """The lists of subgoals kept, by hash, newest first."""
        where, values = ("", []) if task is None else (" WHERE task = ?", [task])
        rows = self.query(
            f"SELECT hash, subgoals FROM subgoal_sets{where} ORDER BY created DESC", values
        )
        return {name: tuple(Subgoal(*s) for s in json.loads(text)) for name, text in rows}


def _storable(text: str) -> str:
    """The text as SQLite can hold it: lone surrogates replaced, NUL kept out."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _dump_odds(odds: Sequence[TokenOdds]) -> str | None:
    if not odds:
        return None
    return json.dumps([[o.token, round(o.logprob, 5), dict(o.top)] for o in odds])


def _load_odds(text: str | None) -> tuple[TokenOdds, ...]:
    return tuple(TokenOdds(*o) for o in json.loads(text)) if text else ()


def _alive(owner: str) -> bool:
    """Whether the process of a lease's owner, `host:pid:...`, may still be there."""
    host, pid, *_ = owner.split(":")
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

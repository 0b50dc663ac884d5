"""The store's tables, version by version."""

import hashlib
import sqlite3

from calm.store.schema import MIGRATIONS

RELEASED = ("12744d0fee689714", "665f997594a65d3b")
"""The beginnings of the migrations' SHA-256; a new one is added, none is ever changed."""


def test_released_migrations_are_never_edited() -> None:
    assert tuple(hashlib.sha256(m.encode()).hexdigest()[:16] for m in MIGRATIONS) == RELEASED


def test_the_migrations_make_all_tables() -> None:
    db = sqlite3.connect(":memory:")
    for migration in MIGRATIONS:
        db.executescript(migration)
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {
        "contexts", "texts", "calls", "answers", "leases", "cards", "subgoal_sets", "batches",
    }  # fmt: skip
    assert "message" in {row[1] for row in db.execute("PRAGMA table_info(calls)")}
    db.close()

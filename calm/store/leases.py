"""Leases on questions: who is asking what, so that processes that share a store share the work."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Container, Sequence

from calm.store.database import Database, chunks


class Leases:
    """The leases in a store's file. An owner is `HOST:PID:...`."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.process = f"{socket.gethostname()}:{os.getpid()}"
        """How the name of an owner in this process begins."""

    def claim(
        self,
        keys: Sequence[bytes],
        owner: str,
        seconds: float,
        *,
        superseding: Container[bytes] = (),
    ) -> set[bytes]:
        """Takes a lease on those of `keys` that are neither answered nor leased to others.

        Keys in `superseding` may be answered already: a new answer is to take the old one's place.

        A lease ends when settled, released, after `seconds`, or when its process on this machine
        is gone.
        """
        now = time.time()
        ours: set[bytes] = set()
        with self._db.transaction():
            for chunk in chunks(keys):
                marks = ",".join("?" * len(chunk))
                taken = {
                    row[0]
                    for row in self._db.query(
                        f"SELECT key FROM answers WHERE key IN ({marks})", chunk
                    )
                    if row[0] not in superseding
                }
                held = self._db.query(
                    f"SELECT key, owner, expires FROM leases WHERE key IN ({marks})", chunk
                )
                taken |= {
                    key for key, by, until in held if by != owner and until > now and _alive(by)
                }
                ours.update(k for k in chunk if k not in taken)
            self._db.execute_many(
                "INSERT OR REPLACE INTO leases (key, owner, expires) VALUES (?, ?, ?)",
                [(key, owner, now + seconds) for key in ours],
            )
        return ours

    def renew(self, owner: str, seconds: float) -> None:
        """Puts off the end of all of an owner's leases."""
        self._db.execute(
            "UPDATE leases SET expires = ? WHERE owner = ?", [time.time() + seconds, owner]
        )

    def release(self, owner: str, keys: Sequence[bytes] | None = None) -> None:
        """Gives back an owner's leases: all, or those on `keys`."""
        if keys is None:
            self._db.execute("DELETE FROM leases WHERE owner = ?", [owner])
        else:
            self._db.execute_many(
                "DELETE FROM leases WHERE owner = ? AND key = ?", [(owner, k) for k in keys]
            )

    def free(self, keys: Sequence[bytes]) -> None:
        """Ends the leases on `keys`, whoever holds them."""
        self._db.execute_many("DELETE FROM leases WHERE key = ?", [(k,) for k in keys])


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

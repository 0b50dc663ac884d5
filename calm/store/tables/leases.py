"""The table of leases on questions: who is asking what, so that processes share the work."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Container, Sequence

from calm.store.database import Database, chunks


class Leases:
    """The leases in a store's file, by key. An owner is `HOST:PID:...`."""

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
        """Leases those of `keys` that are neither answered nor leased to others; returns those.

        A lease ends when the answer was read, when it is released, after `seconds`, or when its
        process on this machine is gone.

        Args:
            superseding: keys that may be answered: a new answer is to take the old one's place.
        """
        now = time.time()
        ours: set[bytes] = set()
        with self._db.transaction():
            for chunk in chunks(keys):
                taken = {key for key in self._answered(chunk) if key not in superseding}
                taken |= {
                    key
                    for key, holder, expires in self._leased(chunk)
                    if holder != owner and expires > now and _is_alive(holder)
                }
                ours.update(key for key in chunk if key not in taken)
            self._db.execute_many(
                "INSERT OR REPLACE INTO leases (key, owner, expires) VALUES (?, ?, ?)",
                [(key, owner, now + seconds) for key in ours],
            )
        return ours

    def _answered(self, keys: Sequence[bytes]) -> list[bytes]:
        """Returns those of a chunk of keys that have an answer."""
        marks = ",".join("?" * len(keys))
        rows = self._db.query(f"SELECT key FROM answers WHERE key IN ({marks})", keys)
        return [key for (key,) in rows]

    def _leased(self, keys: Sequence[bytes]) -> list[tuple[bytes, str, float]]:
        """Returns the leases on a chunk of keys: key, owner, end in seconds since 1970."""
        marks = ",".join("?" * len(keys))
        rows = self._db.query(
            f"SELECT key, owner, expires FROM leases WHERE key IN ({marks})", keys
        )
        return [(key, owner, expires) for key, owner, expires in rows]

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


def _is_alive(owner: str) -> bool:
    """Returns whether the process of a lease's owner, `host:pid:...`, may still be there."""
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

"""Every answer ever paid for, in one SQLite file that many processes share."""

from __future__ import annotations

from calm.store.store import Store

__all__ = ["Store"]

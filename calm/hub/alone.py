"""Lets one process at a time write to a folder of unfinished downloads."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def alone(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Holds a folder while the block runs, and makes it; others wait, and are told.

    Args:
        folder: removed in the end if it is empty; the lock lies beside it.
        tell: called with a line once there is something to wait for.
    """
    announced = False
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not announced:
                    tell("another process is pulling this; waiting for it")
                announced = True
                time.sleep(0.2)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield
        finally:
            with suppress(OSError):
                folder.rmdir()  # if nothing has come

"""Commits what many coroutines write, together, from a thread of its own.

One transaction holds whatever came in while the last one was being committed, so the event loop
never waits for the disk, and the disk is not asked once for every answer.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable

from calm.store.store import Store

_GATHER = 0.003  # seconds to wait for company before a commit
_Work = tuple[Callable[[], None], asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Writer:
    """Runs writes against a store in groups, each group one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, write: Callable[[], None]) -> asyncio.Future[None]:
        """Queues a write; the future is done once it is committed, or holds its StoreError."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="calm-writer", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.put((write, loop, done))
        return done

    def close(self) -> None:
        """Commits what is queued and ends the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = [first], False
            threading.Event().wait(_GATHER)
            while not self._queue.empty():
                if (item := self._queue.get()) is None:
                    last = True
                    break
                group.append(item)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Work]) -> None:
        problem: BaseException | None = None
        try:
            with self._store.transaction():
                for write, _, _ in group:
                    write()
        except BaseException as error:
            problem = error
        for loop in {loop for _, loop, _ in group}:
            mine = [done for _, its, done in group if its is loop]
            try:
                loop.call_soon_threadsafe(_resolve, mine, problem)
            except RuntimeError:  # its loop has ended; nobody waits any more
                continue


def _resolve(futures: list[asyncio.Future[None]], problem: BaseException | None) -> None:
    for future in futures:
        if future.done():
            continue
        if problem is None:
            future.set_result(None)
        else:
            future.set_exception(problem)

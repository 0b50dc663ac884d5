"""An event loop in a thread of its own, for callers that have none, or have one of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from typing import Any, TypeVar

T = TypeVar("T")

_WAKE_SECONDS = 0.25
"""Between looks for a signal while a result is waited for."""


class LoopThread:
    """Runs coroutines on one event loop for as long as it lives; connections survive calls."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns the result of `work`; Ctrl-C cancels it, lets it clean up, and is raised."""
        try:
            return wait_for(self.start(work))
        except KeyboardInterrupt:
            self.cancel()
            raise

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Starts `work` and returns its future without waiting for it."""
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=[loop], name="calm-loop", daemon=True
                )
                self._thread.start()
                self._loop = loop  # last: Ctrl-C may come at any line, and only a loop that runs
                # can be asked to cancel
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def cancel(self) -> None:
        """Cancels all work and gives it some seconds to clean up."""
        loop = self._loop
        if loop is None:
            return

        async def stop() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.wait(others, timeout=5) if others else None

        wait([asyncio.run_coroutine_threadsafe(stop(), loop)], timeout=10)

    def close(self) -> None:
        """Ends the thread."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(5)


def wait_for(future: Future[T]) -> T:
    """Returns the result of a future, and lets a signal in while it is not there.

    Python handles a signal in its main thread alone. If another thread receives it, or the main
    thread just before it begins to wait, nothing wakes a wait without a time limit.
    """
    ended = threading.Lock()
    ended.acquire()
    future.add_done_callback(lambda _: ended.release())
    while not ended.acquire(timeout=_WAKE_SECONDS):
        pass
    return future.result()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()

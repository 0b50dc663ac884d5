"""An event loop in a thread of its own: results come back, and errors; work can be cancelled."""

import asyncio
import threading

import pytest

from calm.endpoint.loop_thread import LoopThread


async def _name_of_thread() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_work_runs_in_the_loops_own_thread_call_after_call() -> None:
    loop = LoopThread()
    assert [loop.run(_name_of_thread()) for _ in range(2)] == ["calm-loop", "calm-loop"]
    loop.close()
    assert loop.run(_name_of_thread()) == "calm-loop"  # it begins anew
    loop.close()


def test_an_error_of_the_work_is_raised_where_it_is_waited_for() -> None:
    async def fail() -> None:
        raise ValueError("no")

    loop = LoopThread()
    with pytest.raises(ValueError, match="no"):
        loop.run(fail())
    loop.close()


def test_cancelled_work_cleans_up_before_cancel_returns() -> None:
    steps: list[str] = []

    async def wait() -> None:
        steps.append("started")
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("cleaned up")

    async def is_started() -> bool:
        return bool(steps)

    loop = LoopThread()
    future = loop.start(wait())
    while not loop.run(is_started()):
        pass
    loop.cancel()
    assert steps == ["started", "cleaned up"]
    assert future.cancelled()
    loop.close()

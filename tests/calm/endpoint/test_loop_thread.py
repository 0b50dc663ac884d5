"""An event loop in a thread of its own: results come back, and errors; work can be cancelled."""

import asyncio
import subprocess
import sys
import threading

import pytest

from calm.endpoint.loop_thread import LoopThread

SIGNAL_TO_ANOTHER_THREAD = """
import asyncio, signal, threading
from calm.endpoint.loop_thread import LoopThread

loop, cleaned = LoopThread(), threading.Event()

async def work():
    # Linux may hand a process's signal to any of its threads; here it is this one.
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    try:
        await asyncio.sleep(3600)
    finally:
        cleaned.set()

try:
    loop.run(work())
except KeyboardInterrupt:
    print("interrupted", cleaned.is_set())
loop.close()
"""


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


def test_a_signal_that_another_thread_receives_ends_the_wait() -> None:
    command = [sys.executable, "-c", SIGNAL_TO_ANOTHER_THREAD]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "interrupted True\n"), done.stderr


def test_nothing_runs_yet_is_no_reason_to_wait_at_ctrl_c() -> None:
    LoopThread().cancel()

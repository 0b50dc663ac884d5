"""What batches survive: workers that die or hang, forks, signals; and that nothing stays behind."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from calm.errors import GameError
from envs.events.sight import Sight
from envs.game.goal import ABORTED
from envs.implementations import make_event_stream
from envs.native import workers
from envs.native.backend import STEP, NativeBackend
from envs.stepping.batch import Batch
from tests.support.processes import eventually, line, python, running

TASK = "MiniHack-KeyRoom-S5-v0"
KEYS = ("glyphs", "glyphs_crop", "blstats", "message", "inv_glyphs")


def killed(batch: Batch, worker: int) -> None:
    assert isinstance(batch.backend, NativeBackend)
    os.kill(batch.backend.pids[worker], signal.SIGKILL)


def test_a_killed_worker_is_noticed_and_its_episodes_start_anew(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "HANG_SECONDS", 1e9)  # it is noticed long before one would hang
    with Batch(TASK, 4, KEYS, seed=1, workers=2) as batch:
        batch.reset()
        for _ in range(3):
            batch.step([8, 8, 8, 8])
        before = batch.level_seeds.copy()
        killed(batch, 1)
        with caplog.at_level(logging.WARNING):
            rewards, terminated, truncated = batch.step([8, 8, 8, 8])
        assert truncated.tolist() == [False, False, True, True]
        assert not terminated.any()
        assert rewards[2:].tolist() == [0, 0]
        assert batch.status[2:].tolist() == [ABORTED, ABORTED]
        assert batch.final_steps[2:].tolist() == [3, 3]
        assert batch.final_level_seeds[2:].tolist() == before[2:].tolist()
        assert "worker 1" in caplog.text
        assert "SIGKILL" in caplog.text
        assert batch.level_seeds[:2].tolist() == before[:2].tolist()
        assert (batch.level_seeds[2:] != before[2:]).all()
        for _ in range(20):
            _, terminated, truncated = batch.step([0, 1, 2, 3])
            assert not (terminated | truncated).any()
        assert batch.steps.tolist() == [24, 24, 20, 20]


def test_a_worker_that_is_killed_while_it_plays_is_told_with_seed_and_actions(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Batch(TASK, 1, KEYS, workers=1) as batch:
        batch.reset([77])
        for action in (0, 1, 2):
            batch.step([action])
        assert isinstance(batch.backend, NativeBackend)
        batch.backend._memory.place[0] = 0  # as if it were at work
        killed(batch, 0)
        with caplog.at_level(logging.WARNING):
            batch.step([3])
        assert "level seed 77, step 3, last actions [0, 1, 2" in caplog.text


def test_workers_that_keep_dying_end_the_run() -> None:
    with Batch(TASK, 2, KEYS, workers=1) as batch:
        batch.reset()
        for _ in range(4):
            killed(batch, 0)
            batch.step([0, 0])
        killed(batch, 0)
        with pytest.raises(GameError, match="keep dying"):
            batch.step([0, 0])


def test_what_a_worker_said_last_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with Batch(TASK, 1, KEYS, workers=1) as batch:
        batch.reset()
        assert isinstance(batch.backend, NativeBackend)
        assert batch.backend._workers is not None
        for words in ("panic: no such thing", "help", "panic again"):
            # Shared with the worker, and so is where it writes next.
            os.write(batch.backend._workers._stderr[0], words.encode())
            killed(batch, 0)
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                batch.step([0])
            assert f"between two steps: {words}. Its episodes start anew" in caplog.text


def test_a_reset_row_is_not_told_to_be_lost() -> None:
    with Batch(TASK, 2, KEYS, workers=1) as batch:
        batch.reset()
        killed(batch, 0)
        batch.backend.reset(np.array([0]), None)  # row 1 is lost too, and reset
        batch.reset()
        _, _, truncated = batch.step([8, 8])
        assert not truncated.any()
        killed(batch, 0)
        batch.backend.reset(np.array([0]), None)
        _, _, truncated = batch.step([8, 8])
        assert truncated.tolist() == [False, True]


def test_rows_that_an_interrupted_turn_lost_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with Batch(TASK, 2, KEYS, workers=1) as batch:
        batch.reset()
        backend = batch.backend
        assert isinstance(backend, NativeBackend)
        assert backend._workers is not None
        killed(batch, 0)
        backend._busy = True  # as if Ctrl-C had come while it waited for this turn
        backend._workers.turn_begins()
        backend._library.calm_turn(backend._address, STEP, 0)
        _, _, truncated = batch.step([8, 8])
        assert truncated.tolist() == [True, True]
        assert caplog.text.count("was killed") == 1


def test_a_worker_whose_parent_was_gone_before_it_began_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Batch(TASK, 1, KEYS, workers=1) as batch:
        assert isinstance(batch.backend, NativeBackend)
        assert batch.backend._workers is not None
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: 2**22 + 1)
            worker = batch.backend._workers._start(0)
        try:
            assert worker.wait(timeout=120) == 0
        finally:
            worker.kill()


def test_a_pause_of_the_whole_job_kills_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "HANG_SECONDS", 1.5)
    with Batch(TASK, 2, KEYS, workers=2) as batch:
        batch.reset()
        assert isinstance(batch.backend, NativeBackend)
        processes, pids = batch.backend._workers, batch.backend.pids
        assert processes is not None
        os.kill(pids[0], signal.SIGSTOP)

        def paused() -> list[range]:
            """This process, which looks up, sleeps as long as the worker."""
            monkeypatch.undo()
            monkeypatch.setattr(workers, "HANG_SECONDS", 1.5)
            time.sleep(2.0)
            lost = processes.replace_dead_workers()
            os.kill(pids[0], signal.SIGCONT)
            return lost

        monkeypatch.setattr(processes, "replace_dead_workers", paused)
        _, _, truncated = batch.step([0, 0])
        assert not truncated.any()
        assert batch.backend.pids == pids


def test_a_worker_that_hangs_is_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workers, "HANG_SECONDS", 2.0)
    with Batch(TASK, 2, KEYS, workers=2) as batch:
        batch.reset()
        assert isinstance(batch.backend, NativeBackend)
        os.kill(batch.backend.pids[0], signal.SIGSTOP)
        with caplog.at_level(logging.WARNING):
            _, _, truncated = batch.step([0, 0])
        assert truncated.tolist() == [True, False]
        assert "worker 0" in caplog.text
        batch.step([0, 0])


def test_a_fork_that_ends_leaves_the_batch_alone() -> None:
    with Batch(TASK, 2, KEYS, workers=1) as batch:
        batch.reset()
        if (pid := os.fork()) == 0:
            batch.backend._tidy()  # type: ignore[attr-defined]
            os._exit(0)
        os.waitpid(pid, 0)
        for _ in range(210):  # resets need the folders
            batch.step([0, 0])


def leftovers(temporary: Path) -> tuple[int, list[Path]]:
    """Child processes of this one, and temporary folders of its games."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    shared = Path("/dev/shm").glob(f"calm-{os.getpid()}-*")
    return len(children), [*shared, *temporary.iterdir()]


def test_nothing_is_left_after_close_or_an_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = leftovers(tmp_path)
    batch = Batch(TASK, 3, KEYS, workers=2)
    batch.reset()
    assert leftovers(tmp_path)[0] == before[0] + 2
    batch.close()
    assert leftovers(tmp_path) == before

    def fail() -> None:
        with Batch(TASK, 3, KEYS, workers=2) as batch:
            batch.reset()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert leftovers(tmp_path) == before
    batch = Batch(TASK, 3, KEYS, native=False)
    batch.reset()
    batch.close()
    assert leftovers(tmp_path) == before


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("watched", [False, True])
def test_a_batch_that_is_dropped_goes_at_once(
    workers: int, watched: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before, descriptors = leftovers(tmp_path), os.listdir("/proc/self/fd")
    batch = Batch(TASK, 3, Sight.keys, workers=workers)
    if watched:
        batch.observers.append(make_event_stream(TASK, batch))
    batch.reset()
    del batch
    assert leftovers(tmp_path) == before
    assert len(os.listdir("/proc/self/fd")) == len(descriptors)


MANY = """
    import resource
    from envs.stepping.batch import Batch
    for workers in (1, 0):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (120, hard))
        with Batch("MiniHack-Room-5x5-v0", 80, ("glyphs",), workers=workers) as batch:
            batch.reset()
            batch.step([0] * 80)
"""


def test_more_games_than_the_usual_limit_of_open_files() -> None:
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(MANY)],
        check=True,
        cwd=Path(__file__).parents[3],
    )


SCRIPT = """
    import os, sys, time
    import numpy as np
    from envs.stepping.batch import Batch
    batch = Batch("MiniHack-KeyRoom-S5-v0", 4, ("glyphs",), workers=2)
    print(batch.backend._root, *batch.backend.pids, flush=True)
    batch.reset()
    batch.step([0, 0, 0, 0])
    print("plays", flush=True)
    while True:
        batch.step([0, 0, 0, 0])
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_parent_is_stopped(how: signal.Signals) -> None:
    script = textwrap.dedent(SCRIPT)
    with python("-W", "ignore", "-c", script, stderr=subprocess.PIPE) as process:
        root, *pids = line(process).split()
        assert Path(root).exists()
        assert line(process) == "plays"
        process.send_signal(how)
        _, errors = process.communicate(timeout=240)
    if how == signal.SIGINT:
        assert "KeyboardInterrupt" in errors
    assert eventually(lambda: not any(running(int(pid)) for pid in pids))
    assert eventually(lambda: not Path(root).exists())

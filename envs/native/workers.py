"""Runs the worker processes of a batch, and replaces those that die.

A worker is a small C program. If one dies (an abort in the engine, `kill -9`, the memory running
out) or hangs, its rows' episodes end as truncated ones, a new worker takes its place, and the log
has where it died. A batch whose workers keep dying raises GameError with the same words.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections import deque
from itertools import pairwise
from pathlib import Path

import numpy as np

from calm.errors import GameError
from envs.native.layout import HISTORY, Memory

log = logging.getLogger(__name__)

MAX_DEATHS = 5
"""Deaths of workers within `DEATH_WINDOW` turns after which a batch gives up."""
DEATH_WINDOW = 1000
"""Turns."""
LOOK_UP_US = 100_000
"""Microseconds to wait for a turn before looking whether all workers live."""
HANG_SECONDS = 30.0
"""A turn takes less than a second; a worker that takes longer than this is killed. Counted in
look-ups, so that a pause of the whole job counts for nothing."""


class Workers:
    """The processes that play a batch, one range of rows each.

    Args:
        program: the compiled worker.
        memory: shared with them; its header is complete.
        task: for messages.
    """

    def __init__(self, program: Path, memory: Memory, task: str) -> None:
        n_envs, n_workers = memory.header.n_envs, memory.header.n_workers
        edges = [n_envs * i // n_workers for i in range(n_workers + 1)]
        self.ranges = [range(a, b) for a, b in pairwise(edges)]
        self._program = program
        self._memory = memory
        self._task = task
        self._deaths: deque[int] = deque(maxlen=MAX_DEATHS)
        self._turns = 0
        self._looks = 0  # in this turn
        self._stderr: list[int] = []  # descriptors, by worker
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            for index in range(n_workers):
                self._stderr.append(os.memfd_create("stderr"))
                self._processes.append(self._start(index))
        except BaseException:
            self.close()
            raise

    @property
    def pids(self) -> list[int]:
        """Process ids, by worker."""
        return [process.pid for process in self._processes]

    def _start(self, index: int) -> subprocess.Popen[bytes]:
        """Starts a worker and returns its process; what it writes to stderr begins anew."""
        rows, memory = self.ranges[index], self._memory
        os.ftruncate(self._stderr[index], 0)
        os.lseek(self._stderr[index], 0, os.SEEK_SET)  # where the worker begins to write
        numbers = (memory.fd, index, rows.start, rows.stop, int(memory.turn[0]), os.getpid())
        return subprocess.Popen(
            [str(self._program), *map(str, numbers)],
            pass_fds=(memory.fd,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr[index],
            process_group=0,  # Ctrl-C is the parent's to handle
        )

    def turn_begins(self) -> None:
        """Counts the turns, so that deaths long ago are forgotten."""
        self._turns += 1
        self._looks = 0

    def replace_dead_workers(self) -> list[range]:
        """Replaces workers that have died or hang; returns the ranges of rows that they lost.

        To be called every `LOOK_UP_US` while a turn is not over. For new workers it is over; the
        others may still be at work.

        Raises:
            GameError: they keep dying.
        """
        memory, lost = self._memory, []
        self._looks += 1
        if self._looks * LOOK_UP_US > HANG_SECONDS * 1e6:
            for index, process in enumerate(self._processes):
                if memory.finished[index] != memory.turn[0]:
                    process.kill()
                    process.wait()
            self._looks = 0
        for index, process in enumerate(self._processes):
            if process.poll() is None:
                continue
            self._deaths.append(self._turns)
            report = self._death_report(index, process.returncode)
            if len(self._deaths) == MAX_DEATHS and self._deaths[0] > self._turns - DEATH_WINDOW:
                raise GameError(f"{report}. Workers keep dying; giving up")
            log.warning("%s. Its episodes start anew", report)
            self._processes[index] = self._start(index)
            lost.append(self.ranges[index])
            memory.finished[index] = memory.turn[0]
        if (memory.finished[: len(self.ranges)] == memory.turn[0]).all():
            memory.pending[0] = 0  # a worker that died did not count itself out
        return lost

    def _death_report(self, index: int, code: int) -> str:
        """Returns in one sentence how a worker died, where, and its last words."""
        memory = self._memory
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        os.lseek(self._stderr[index], 0, os.SEEK_SET)
        words = os.read(self._stderr[index], 500).decode(errors="replace").strip()
        where = "between two steps"
        row = int(memory.place[index])
        if row >= 0:
            steps = int(memory.rows["steps"][row])
            last = np.arange(max(0, steps - HISTORY + 1), steps + 1) % HISTORY
            where = (
                f"in environment {row} on level seed {int(memory.rows['level_seed'][row])}, step"
                f" {steps}, last actions {memory.rows['history'][row][last].tolist()}"
            )
        rows = self.ranges[index]
        return (
            f"worker {index} of {self._task} (environments {rows.start} to {rows.stop - 1}) {how}"
            f" {where}{f': {words}' if words else ''}"
        )

    def close(self) -> None:
        """Kills the processes and waits for their end; more than once does no harm."""
        for process in self._processes:
            process.kill()  # they hold nothing that needs tidying
        for process in self._processes:
            process.wait()
        self._processes = []
        for fd in self._stderr:
            os.close(fd)
        self._stderr = []

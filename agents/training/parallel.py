"""Trains runs in processes of this machine, one each: the executor of studies without a cluster.

Ctrl-C reaches every process: each saves its checkpoint and ends, and so can be resumed.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import queue
import signal
import tempfile
import threading
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from agents.training.executor import Lost, News
from agents.training.run.folder import Run
from agents.training.run.status import TrainingStatus
from agents.training.train import train
from calm.errors import CalmError
from calm.interrupts import raise_swallowed_again
from calm.owned.client import open_store

STOPS = {signal.SIGINT, signal.SIGTERM}
"""Signals that end a run with a checkpoint."""


def _end_with_parent() -> None:
    """Ends this process when its parent has ended, even killed: else two would train one run."""
    parent = mp.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _interrupt_once() -> None:
    """Lets the first Ctrl-C or SIGTERM raise and later ones do nothing; held back until now.

    A terminal's Ctrl-C reaches this process and its parent, which passes it on; a second one would
    end the saving of the checkpoint.
    """

    def do_nothing(_signal: int, _frame: object) -> None:
        """Lets a signal pass; ignored by SIG_IGN, one that came with the first would be told."""

    def interrupt(_signal: int, _frame: object) -> None:
        for number in STOPS:
            signal.signal(number, do_nothing)
        raise KeyboardInterrupt

    for number in STOPS:
        signal.signal(number, interrupt)
    raise_swallowed_again()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def _train_one(
    index: int,
    folder: Path,
    store: Path | None,
    base_url: str | None,
    threads: int,
    messages: Any,
) -> None:
    """Trains one run in a child process and puts its progress and its end into `messages`."""
    _end_with_parent()
    try:
        _interrupt_once()
        run = Run(folder)

        def report(status: TrainingStatus) -> None:
            messages.put((index, status))

        if store is None:
            train(run, resume=None, threads=threads, on_progress=report)
        else:
            with open_store(store) as opened:
                train(
                    run,
                    store=opened,
                    base_url=base_url,
                    resume=None,
                    threads=threads,
                    on_progress=report,
                )
    except KeyboardInterrupt:
        messages.put((index, KeyboardInterrupt()))
    except CalmError as error:
        messages.put((index, error))
    except Exception as error:  # whatever it was, the parent says which run it ended
        advice = getattr(error, "__notes__", [])
        messages.put((index, CalmError(". ".join([f"{type(error).__name__}: {error}", *advice]))))
    else:
        messages.put((index, None))


class LocalProcesses:
    """An executor that trains runs in processes of this machine.

    Args:
        store: path of the store that judges of all runs share; None for no store.
        base_url: the endpoint of `openai:` judges.
        at_once: processes at a time; by default one a core. Cores that are left over compute the
            runs' updates too, which changes no number.
    """

    def __init__(
        self, store: Path | None = None, base_url: str | None = None, at_once: int | None = None
    ) -> None:
        self._cores = os.cpu_count() or 1
        self._store, self._base_url, self._at_once = store, base_url, at_once or self._cores
        self._runs: Sequence[Run] = ()
        self._working: dict[int, BaseProcess] = {}

    def begin(self, runs: Sequence[Run]) -> None:
        """Takes the runs that will be trained."""
        self._runs = runs
        self._threads = max(1, self._cores // min(self._at_once, max(1, len(runs))))
        # Torch is imported once, by a server that forks the runs' processes and trains nothing.
        # Its socket lies in a folder for temporary files, and such a path has at most 107 bytes.
        is_short = len(os.fsencode(tempfile.gettempdir())) < 70
        self._context: Any = mp.get_context("forkserver" if is_short else "spawn")
        self._context.set_forkserver_preload(["agents.training.train"])
        self._messages: Any = self._context.Queue()

    @property
    def room(self) -> bool:
        """Whether fewer processes work than may at once."""
        return len(self._working) < self._at_once

    def start(self, i: int) -> bool:
        """Starts the process of a run and returns True."""
        arguments = (i, self._runs[i].folder, self._store, self._base_url, self._threads)
        process = self._context.Process(
            target=_train_one, args=(*arguments, self._messages), daemon=True
        )
        # It holds Ctrl-C back while it is loading, see `_interrupt_once`.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        process.start()
        self._working[i] = process  # first: a signal may come with the next line
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return True

    def news(self) -> list[tuple[int, News]]:
        """Returns the runs whose process is gone without a word; else the next message, if any."""
        # All messages of a process were in the queue before it died.
        gone = [i for i, p in self._working.items() if not p.is_alive() and self._messages.empty()]
        if gone:
            codes = {i: self._working.pop(i).exitcode for i in gone}
            return [(i, Lost(f"died with exit code {code}")) for i, code in codes.items()]
        try:
            i, news = self._messages.get(timeout=1.0)
        except queue.Empty:
            return []
        if not isinstance(news, TrainingStatus):
            if (process := self._working.pop(i, None)) is None:
                return []  # its last word, from a process that was ended meanwhile
            process.join()
        return [(i, news)]

    def end(self, interrupt: bool) -> None:
        """Ends all processes; with `interrupt` they get half a minute to save a checkpoint."""
        for process in self._working.values():
            if interrupt and process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGINT)
        for process in self._working.values():
            process.join(timeout=30)
            process.kill()

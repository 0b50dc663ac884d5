"""Trains several runs at once, one process each, and reports the progress of all.

A run that fails does not take the others down; its error is raised when they have ended. Ctrl-C
reaches every process: each saves its checkpoint and ends, and so can be resumed.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import queue
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from agents.training.callback import TrainingStatus
from agents.training.run_folder import Run
from agents.training.train import train
from calm.errors import CalmError
from calm.owned.client import open_store

STOPS = {signal.SIGINT, signal.SIGTERM}
"""Signals that end a run with a checkpoint."""
Message = tuple[int, TrainingStatus | BaseException | None]
"""A run's index and its status; or what has ended its training, None for its last step."""


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


class _Processes:
    """The processes that train some runs, a number at a time, and the errors of those that failed.

    Args:
        runs: to train.
        store, base_url, at_once: as for `train_all`.
    """

    def __init__(
        self, runs: Sequence[Run], store: Path | None, base_url: str | None, at_once: int | None
    ) -> None:
        cores = os.cpu_count() or 1
        self.runs, self.at_once = runs, at_once or cores
        threads = max(1, cores // min(self.at_once, max(1, len(runs))))
        self.waiting = list(range(len(runs)))
        """Indices of the runs whose process has not been started yet."""
        # Torch is imported once, by a server that forks the runs' processes and trains nothing.
        # Its socket lies in a folder for temporary files, and such a path has at most 107 bytes.
        is_short = len(os.fsencode(tempfile.gettempdir())) < 70
        self._context: Any = mp.get_context("forkserver" if is_short else "spawn")
        self._context.set_forkserver_preload(["agents.training.train"])
        self._messages: Any = self._context.Queue()
        self._arguments = (store, base_url, threads, self._messages)
        self._working: dict[int, BaseProcess] = {}
        self._failures: list[str] = []
        self._kinds: set[type[CalmError]] = set()

    @property
    def busy(self) -> bool:
        """Whether a run is waiting or being trained."""
        return bool(self.waiting or self._working)

    def start(self) -> None:
        """Starts processes until as many as may work at once do."""
        while self.waiting and len(self._working) < self.at_once:
            i = self.waiting.pop(0)
            process = self._context.Process(
                target=_train_one, args=(i, self.runs[i].folder, *self._arguments), daemon=True
            )
            # It holds Ctrl-C back while it is loading, see `_interrupt_once`.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
            process.start()
            self._working[i] = process  # first: a signal may come with the next line
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def note_dead(self) -> None:
        """Counts runs whose process is gone without a word among those that failed."""
        for i, process in list(self._working.items()):
            # All its messages were in the queue before it died.
            if not process.is_alive() and self._messages.empty():
                self._working.pop(i)
                self.fail(i, CalmError(f"died with exit code {process.exitcode}"))

    def message(self) -> Message | None:
        """Returns the next message of a process; None where none comes within a second."""
        try:
            message: Message = self._messages.get(timeout=1.0)
        except queue.Empty:
            return None
        return message

    def join(self, i: int) -> None:
        """Waits for the process of a run that has told its end."""
        self._working.pop(i).join()

    def fail(self, i: int, error: BaseException) -> None:
        """Counts a run among those that failed."""
        self._failures.append(f"{self.runs[i].folder}: {error}")
        self._kinds.add(type(error) if isinstance(error, CalmError) else CalmError)

    def end(self, interrupt: bool) -> None:
        """Ends all processes; with `interrupt` they get half a minute to save a checkpoint."""
        for process in self._working.values():
            if interrupt and process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGINT)
        for process in self._working.values():
            process.join(timeout=30)
            process.kill()

    def raise_failures(self) -> None:
        """Raises a CalmError if runs failed, of the kind that all failures share."""
        if self._failures:
            kind = self._kinds.pop() if len(self._kinds) == 1 else CalmError
            raise kind("training failed; " + "; ".join(self._failures))


def train_all(
    runs: Sequence[Run],
    *,
    store: Path | None = None,
    base_url: str | None = None,
    at_once: int | None = None,
    on_progress: Callable[[int, TrainingStatus], None] = lambda _i, _p: None,
    on_end: Callable[[int], None] = lambda _i: None,
) -> None:
    """Trains every run to its end; those with a checkpoint resume from it.

    Args:
        runs: made with `Run.create`, or interrupted before.
        store: path of the store that judges of all runs share.
        base_url: the endpoint of `openai:` judges.
        at_once: processes at a time; by default one a core. Cores that are left over compute the
            runs' updates too, which changes no number.
        on_progress: called with a run's index and its status after every rollout.
        on_end: called with the index of a run that is trained to its last step.

    Raises:
        CalmError: a run failed; the others were trained to their end first. Of the kind that all
            failures share.
        KeyboardInterrupt: after every process has saved its checkpoint.
    """
    processes = _Processes(runs, store, base_url, at_once)
    interrupted = False
    try:
        while processes.busy:
            processes.note_dead()
            processes.start()
            if (message := processes.message()) is None:
                continue
            i, news = message
            if isinstance(news, TrainingStatus):
                on_progress(i, news)
                continue
            processes.join(i)
            if isinstance(news, KeyboardInterrupt):
                interrupted = True
                processes.waiting.clear()
            elif news is not None:
                processes.fail(i, news)
            else:
                on_end(i)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        processes.end(interrupt=interrupted)
    if interrupted:
        raise KeyboardInterrupt
    processes.raise_failures()

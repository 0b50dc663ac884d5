"""Trains several runs at once, one process each, and reports the progress of all of them.

A run that fails does not take the others down; its error is raised when they have ended. Ctrl-C
reaches every process: each saves its checkpoint and ends, and so can be resumed.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from agents.training.run_folder import Run
from agents.training.train import train
from agents.training.trainer import TrainingStatus
from calm.errors import CalmError
from calm.store.store import Store

STOPS = {signal.SIGINT, signal.SIGTERM}
"""Signals that end a run with a checkpoint."""
Message = tuple[int, TrainingStatus | CalmError | BaseException | None]


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, even killed: else two would train one run."""
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

    def interrupt(_signal: int, _frame: object) -> None:
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)
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
            with Store(store) as opened:
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
    # Torch is imported once, by a server that forks the runs' processes; it never trains itself.
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(["agents.training.train"])
    messages: Any = context.Queue()
    waiting = list(range(len(runs)))
    working: dict[int, BaseProcess] = {}
    failures: list[str] = []
    kinds: set[type[CalmError]] = set()
    cores = os.cpu_count() or 1
    at_once = at_once or cores
    threads = max(1, cores // min(at_once, max(1, len(runs))))
    interrupted = False
    try:
        while waiting or working:
            for i, child in list(working.items()):
                # All its messages were in the queue before it died.
                if not child.is_alive() and messages.empty():
                    working.pop(i)
                    failures.append(f"{runs[i].folder}: died with exit code {child.exitcode}")
                    kinds.add(CalmError)
            while waiting and len(working) < at_once and not interrupted:
                i = waiting.pop(0)
                arguments = (i, runs[i].folder, store, base_url, threads, messages)
                process = context.Process(target=_train_one, args=arguments, daemon=True)
                # It holds Ctrl-C back while it is loading, see `_interrupt_once`.
                mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
                process.start()
                working[i] = process  # first: a signal may come with the next line
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            try:
                i, message = messages.get(timeout=1.0)
            except queue.Empty:
                continue
            if isinstance(message, TrainingStatus):
                on_progress(i, message)
                continue
            working.pop(i).join()
            if isinstance(message, KeyboardInterrupt):
                interrupted = True
                waiting.clear()
            elif message is not None:
                failures.append(f"{runs[i].folder}: {message}")
                kinds.add(type(message) if isinstance(message, CalmError) else CalmError)
            else:
                on_end(i)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        for child in working.values():
            if interrupted and child.is_alive() and child.pid:
                os.kill(child.pid, signal.SIGINT)
        for child in working.values():
            child.join(timeout=30)
            child.kill()
    if interrupted:
        raise KeyboardInterrupt
    if failures:
        kind = kinds.pop() if len(kinds) == 1 else CalmError
        raise kind("training failed; " + "; ".join(failures))

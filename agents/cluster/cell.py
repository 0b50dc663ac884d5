"""One attempt at a cell on a machine of a cluster: what it needs, and how it has ended."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agents.cluster.versions import differences, host, versions
from agents.training.executor import Lost, News
from agents.training.run.folder import Run
from agents.training.run.status import TrainingStatus
from agents.training.train import train
from calm import errors
from calm.errors import CalmError
from calm.store.store import Store

REPORT_SECONDS = 2.0
"""Between two reports of a cell; more would keep whoever reads a thousand cells' busy."""


@dataclass(frozen=True)
class CellNeeds:
    """What a cell gets of the machine that trains it."""

    cores: int = 1
    """Processor cores; they compute its updates, which changes no number."""
    memory: float = 2.0
    """GiB of memory, which schedulers reserve."""


@dataclass(frozen=True)
class Ending:
    """How an attempt at a cell has ended, in plain values that travel between machines."""

    kind: str = ""
    """ "" where it is trained to its last step, `interrupted`, `lost`, or the name of an error in
    `calm.errors`."""
    message: str = ""

    def news(self) -> News:
        """Returns the same as news for `train_all`."""
        if not self.kind:
            return None
        if self.kind == "interrupted":
            return KeyboardInterrupt()
        if self.kind == "lost":
            return Lost(self.message)
        error: type[CalmError] = getattr(errors, self.kind, CalmError)
        return error(self.message)


def ending_of(error: BaseException) -> Ending:
    """Returns how an attempt has ended that raised an error.

    Errors with a name of their own, such as a judge that refuses, would come again elsewhere; what
    has none, such as a full disk, may be the machine's and is worth another attempt.
    """
    if isinstance(error, KeyboardInterrupt):
        return Ending("interrupted")
    kind = type(error).__name__
    if isinstance(error, CalmError) and kind != "CalmError":
        return Ending(kind, str(error))
    words = str(error) if isinstance(error, CalmError) else f"{kind}: {error}"
    if isinstance(error, MemoryError):
        words = "its machine had no memory left; reserve more with --memory"
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        words = f"no space is left on the disk of its machine ({error.filename or 'a file'}); free"
        words += " some there, or have TMPDIR name another"
    return Ending("lost", f"{'. '.join([words, *getattr(error, '__notes__', [])])} (on {host()})")


def train_cell(
    run: Run,
    needs: CellNeeds,
    expected: Mapping[str, str],
    store: Path,
    on_progress: Callable[[TrainingStatus], None],
) -> Ending:
    """Trains a cell in this process, from its checkpoint if it has one, and says how that ended.

    Args:
        run: of the cell, in a folder of this machine or a shared one.
        needs: its cores compute the updates.
        expected: the versions of the machine that the study was started on.
        store: file of stored answers, made if need be; what is asked goes through the owner of
            questions that the environment names.
        on_progress: called every few seconds, between two rollouts.
    """
    if differing := differences(expected, versions()):
        return Ending(  # another machine may have the same
            "lost",
            f"{host()} has {differing}: its results would be others; make its environment that of"
            " the machine which runs the study",
        )
    last = 0.0

    def report(status: TrainingStatus) -> None:
        nonlocal last
        if time.monotonic() >= last + REPORT_SECONDS:
            on_progress(status)
            last = time.monotonic()

    try:
        with Store(store) as opened:
            train(
                run,
                store=opened,
                resume=None,
                threads=needs.cores,
                on_progress=report,
            )
    except (KeyboardInterrupt, Exception) as error:
        return ending_of(error)
    return Ending()

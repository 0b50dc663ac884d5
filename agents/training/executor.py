"""Trains several runs through an executor, and reports the progress of all.

An executor is where runs are trained: processes of this machine (`agents.training.parallel`), the
nodes of a cluster (`agents.cluster`). A run that fails does not take the others down; its error is
raised when they have ended. One that is lost, as with the machine it was trained on, resumes from
its last checkpoint. Ctrl-C reaches every run: each saves a checkpoint and so can be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.training.run.folder import Run
from agents.training.run.status import TrainingStatus
from calm.errors import CalmError, UsageError


@dataclass(frozen=True)
class Lost:
    """An attempt at a run that has ended without an error of its own, as with a killed process."""

    reason: str
    """In words, such as "its node died"."""


News = TrainingStatus | Lost | BaseException | None
"""A run's status; or what has ended the attempt at it, None where it is trained to its last
step, KeyboardInterrupt where it was interrupted and has saved a checkpoint."""


class Executor(Protocol):
    """Trains runs somewhere. `train_all` calls `begin` first and `end` last, whatever happens."""

    def begin(self, runs: Sequence[Run]) -> None:
        """Takes the runs that will be trained; later calls name them by their index.

        Raises:
            CalmError: they can't be trained here.
        """

    @property
    def room(self) -> bool:
        """Whether a run can be started now."""

    def start(self, i: int) -> bool:
        """Starts to train a run, from its checkpoint if it has one.

        Returns:
            False where it is not to be trained now, as when another worker trains it.
        """

    def news(self) -> Iterable[tuple[int, News]]:
        """Returns what the started runs report; waits a second for it at most."""

    def end(self, interrupt: bool) -> None:
        """Ends all training; with `interrupt` runs get half a minute to save a checkpoint."""


class _Attempts:
    """Counts how often each run was lost without a step of progress between two losses."""

    def __init__(self, runs: Sequence[Run], most: int) -> None:
        self._runs, self._most = runs, most
        self._steps = dict.fromkeys(range(len(runs)), -1)
        self._losses = dict.fromkeys(range(len(runs)), 0)

    def another(self, i: int) -> bool:
        """Returns whether a run that was lost may be tried again."""
        if not self._most:
            return False
        try:
            steps = self._runs[i].load_checkpoint()["steps"]
        except UsageError:  # it has none yet, or a damaged one, which ends its next attempt
            steps = 0
        if steps > self._steps[i]:
            self._steps[i], self._losses[i] = steps, 0
        self._losses[i] += 1
        return self._losses[i] <= self._most


class _Failures:
    """The errors of runs that failed, raised as one in the end."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self._messages: list[str] = []
        self._kinds: set[type[CalmError]] = set()

    def add(self, i: int, error: BaseException) -> None:
        """Counts a run among those that failed."""
        self._messages.append(f"{self._runs[i].folder}: {error}")
        self._kinds.add(type(error) if isinstance(error, CalmError) else CalmError)

    def raise_all(self) -> None:
        """Raises a CalmError if runs failed, of the kind that all failures share."""
        if self._messages:
            kind = self._kinds.pop() if len(self._kinds) == 1 else CalmError
            prefix = "training failed; " if len(self._runs) > 1 else ""
            raise kind(prefix + "; ".join(self._messages))


def train_all(
    runs: Sequence[Run],
    executor: Executor,
    *,
    retries: int = 0,
    on_progress: Callable[[int, TrainingStatus], None] = lambda _i, _p: None,
    on_end: Callable[[int], None] = lambda _i: None,
    on_lost: Callable[[int, str], None] = lambda _i, _r: None,
) -> None:
    """Trains every run to its end; those with a checkpoint resume from it.

    Args:
        runs: made with `Run.create`, or interrupted before.
        executor: where they are trained.
        retries: how often in a row a run may be lost without a later checkpoint.
        on_progress: called with a run's index and its status after a rollout.
        on_end: called with the index of a run that is trained to its last step.
        on_lost: called with the index of a run that was lost and will be resumed, and why.

    Raises:
        CalmError: a run failed; the others were trained to their end first. Of the kind that all
            failures share.
        KeyboardInterrupt: after every run has saved its checkpoint.
    """
    waiting = list(range(len(runs)))
    working: set[int] = set()
    attempts, failures = _Attempts(runs, retries), _Failures(runs)
    interrupted = False
    try:
        executor.begin(runs)
        while waiting or working:
            for i in list(waiting):
                if not executor.room:
                    break
                if executor.start(i):
                    waiting.remove(i)
                    working.add(i)
            for i, news in executor.news():
                if isinstance(news, TrainingStatus):
                    on_progress(i, news)
                    continue
                working.discard(i)
                if isinstance(news, KeyboardInterrupt):
                    interrupted = True
                    waiting.clear()
                elif isinstance(news, Lost) and not interrupted and attempts.another(i):
                    waiting.append(i)
                    on_lost(i, news.reason)
                elif isinstance(news, Lost):
                    failures.add(i, CalmError(news.reason))
                elif news is not None:
                    failures.add(i, news)
                else:
                    on_end(i)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        executor.end(interrupt=interrupted)
    if interrupted:
        raise KeyboardInterrupt
    failures.raise_all()

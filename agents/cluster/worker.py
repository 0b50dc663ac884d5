"""Trains the cells of a study beside other workers that share its folder, a claim for each cell."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from agents.cluster.answers import copy_of_answers, store_of_attempt
from agents.cluster.claims import BEAT_SECONDS, DEAD_SECONDS, Claims
from agents.cluster.versions import differences, host, versions
from agents.training.executor import Lost, News
from agents.training.parallel import LocalProcesses
from agents.training.run.folder import Run
from agents.training.run.lock import FolderInUse, forget_dead_owner
from agents.training.run.status import StatusReader, TrainingStatus, remove_status
from calm.errors import CalmError, UsageError
from calm.files import write_file
from calm.judges import asks_model

LOOK_SECONDS = 5.0
"""Between two looks at cells that other workers hold."""


class Worker(LocalProcesses):
    """An executor of this machine's processes that trains what no other worker does.

    It ends when all cells are done, by whomever; until then it waits, and takes over the cells of
    workers that have died.

    Args:
        folder: of the claims, shared by all workers.
        store, base_url, at_once: as for `LocalProcesses`.
        most_losses: attempts in a row that a cell may be lost in, by all workers together, with no
            later checkpoint; then it has failed.
        dead_seconds: without a sign of life, after which another worker is taken for dead.
        beat_seconds: between two signs of life of this one.
    """

    def __init__(
        self,
        folder: Path,
        store: Path | None = None,
        base_url: str | None = None,
        at_once: int | None = None,
        most_losses: int = 3,
        dead_seconds: float = DEAD_SECONDS,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        super().__init__(store, base_url, at_once)
        self._folder, self._dead_seconds, self._beat_seconds = folder, dead_seconds, beat_seconds
        self._most_losses = most_losses
        self._claims: list[Claims] = []
        self._held: set[int] = set()
        self._taken_over: set[int] = set()
        self._elsewhere: dict[int, News] = {}
        """Cells that others have ended, which have not been told yet."""
        self._next_look: dict[int, float] = {}
        self._statuses = StatusReader()
        self._ended = threading.Event()
        self._closing = ExitStack()

    def begin(self, runs: Sequence[Run]) -> None:
        """Takes the runs that will be trained, and begins to give signs of life.

        Raises:
            UsageError: the workers before this one had other versions.
        """
        if self._store is not None and not any(asks_model(run.config.judge) for run in runs):
            # SQLite's files can't be used on a network's file system; who only reads has a copy.
            copy = store_of_attempt(copy_of_answers(runs, self._store))
            self._store = self._closing.enter_context(copy)
        super().begin(runs)
        self._check_versions()
        # As the runs lie: joined into one name, those of two cells could be equal.
        names = [Path(*run.folder.parts[-3:]) for run in runs]
        self._claims = [Claims(self._folder / name, self._dead_seconds) for name in names]
        threading.Thread(target=self._give_signs, daemon=True).start()

    def _check_versions(self) -> None:
        """Compares this machine's versions with those of the first worker, which notes them.

        Raises:
            UsageError: they differ, so its cells would have other results.
        """
        note, here = self._folder / "versions.json", versions()
        try:
            first = json.loads(note.read_text("utf-8"))
        except (OSError, ValueError):
            write_file(note, json.dumps(here, indent=1))
            return
        if differing := differences(first, here):
            raise UsageError(
                f"{host()} has {differing}, which the workers of this study began with: its results"
                " would be others. Make its environment that of theirs; if none of them trains any"
                f" more, and you want the rest trained with this one, remove {note}"
            )

    def _give_signs(self) -> None:
        """Rewrites the claims that are held, every few seconds."""
        while not self._ended.wait(self._beat_seconds):
            for i in list(self._held):
                try:
                    if not self._claims[i].beat():
                        self._taken_over.add(i)
                except OSError:
                    continue  # the next one may arrive

    def start(self, i: int) -> bool:
        """Starts a cell that no other worker holds; False where one does."""
        if time.monotonic() < self._next_look.get(i, 0.0):
            return False
        self._next_look[i] = time.monotonic() + max(LOOK_SECONDS, len(self._runs) / 20)
        run, claims = self._runs[i], self._claims[i]
        if not claims.take(lambda: _steps(run)):
            latest = claims.latest()
            if latest is None or latest.state not in ("done", "failed"):
                return False
            is_done = latest.state == "done"
            self._elsewhere[i] = None if is_done else CalmError(latest.reason)
            return True
        self._held.add(i)
        if _is_trained(run):
            self._let_go(i, None)
            self._elsewhere[i] = None
            return True
        if claims.losses > self._most_losses:
            reason = f"{claims.losses} attempts in a row at it were lost, each with its worker"
            self._elsewhere[i] = CalmError(reason)
            self._let_go(i, self._elsewhere[i])
            return True
        forget_dead_owner(run.folder)
        return super().start(i)

    def news(self) -> list[tuple[int, News]]:
        """Returns what this worker's processes report, and what is seen of the others."""
        return list(self._news())

    def _news(self) -> Iterator[tuple[int, News]]:
        while self._elsewhere:
            yield self._elsewhere.popitem()
        for i in list(self._taken_over):
            self._taken_over.discard(i)
            self._held.discard(i)
            if (process := self._working.pop(i, None)) is not None:
                process.kill()
                process.join()
                yield i, Lost("another worker has taken it over, as this one gave no sign of life")
        others = {i: run.folder for i, run in enumerate(self._runs) if i not in self._held}
        yield from self._statuses.changed(others, time.monotonic())
        for i, news in super().news():
            if isinstance(news, FolderInUse):  # by who is no worker; the cell has not failed
                self._let_go(i, KeyboardInterrupt())
                yield i, Lost(str(news))
                continue
            if not isinstance(news, TrainingStatus):
                self._let_go(i, news)
            yield i, news

    def _let_go(self, i: int, news: News) -> None:
        """Gives up the claim on a cell whose attempt has ended."""
        remove_status(self._runs[i].folder)
        self._held.discard(i)
        if news is None:
            self._claims[i].release("done")
        elif isinstance(news, Lost):
            self._claims[i].release("lost")
        elif isinstance(news, CalmError):
            self._claims[i].release("failed", str(news))
        else:
            self._claims[i].release("released")

    def end(self, interrupt: bool) -> None:
        """Ends this worker's processes and gives up its claims."""
        try:
            super().end(interrupt)
        finally:
            self._ended.set()
            self._closing.close()
            for i in list(self._held):
                self._let_go(i, KeyboardInterrupt())


def _is_trained(run: Run) -> bool:
    """Returns whether a run has come to its last step."""
    rows = run.metrics()
    return bool(rows) and rows[-1]["steps"] >= run.config.steps


def _steps(run: Run) -> int:
    """Returns the steps of a run's checkpoint, 0 where there is none that can be read."""
    try:
        return int(run.load_checkpoint()["steps"])
    except UsageError:
        return 0

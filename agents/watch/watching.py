"""All that is watched, as sections with versions: who asks again is told only what has changed."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from agents.report.curves import Curve
from agents.report.tables import Arm, arms_of
from agents.watch.charts import Charts
from agents.watch.contents import Contents, contents_of
from agents.watch.outcome_view import read_answers, read_evaluation
from agents.watch.run_view import RunView
from agents.watch.sent_prompts import SentPrompts
from agents.watch.store_view import StoreView
from agents.watch.truths import KnownTruths
from calm.errors import UsageError
from calm.records import Subgoal, Task

LOOK_SECONDS = 1.0
"""Between two looks at what is watched."""
SEARCH_SECONDS = 10.0
"""Between two looks for what is new in the folders."""

Section = dict[str, Any]
"""What one part of the page shows, plain values for JSON."""


@dataclass
class _Outcome:
    """A file that is read once it has changed."""

    path: Path
    read: Callable[[Path], Section]
    stamp: int = 0
    section: Section | None = None

    def look(self) -> Section | None:
        try:
            stamp = self.path.stat().st_mtime_ns
        except OSError:
            return None
        if stamp != self.stamp:
            self.stamp, self.section = stamp, self.read(self.path)
        return self.section


class Watching:
    """Looks at folders again and again, and says what has changed.

    Args:
        names: folders, files, or patterns.
        truths: what is known of descriptions in stores.
        stores: files to watch beside those in the folders.

    Raises:
        UsageError: there is nothing to watch in one of the names.
    """

    def __init__(
        self, names: Sequence[str | Path], truths: KnownTruths, stores: Sequence[Path] = ()
    ) -> None:
        self._names, self._truths, self._more = list(names), truths, list(stores)
        self.boot = secrets.token_hex(8)
        """Of this process: who has sections of another begins anew."""
        self._runs: dict[Path, RunView] = {}
        self.stores: dict[str, StoreView] = {}
        """By the id of their sections."""
        self._outcomes: dict[Path, _Outcome] = {}
        self.charts: dict[str, Charts] = {}
        """By the id of their groups' sections."""
        self._arms: dict[str, tuple[object, list[Arm]]] = {}
        self._version = 0
        self._sections: dict[str, tuple[int, Section | None]] = {}
        """With the version at which each became so; None for one that is gone."""
        self._next_look = 0.0
        self._lock = Lock()
        self._take(contents_of(self._names))
        self._next_search = time.monotonic() + SEARCH_SECONDS

    def close(self) -> None:
        """Closes the stores."""
        for store in self.stores.values():
            store.close()

    def changes(self, boot: str, since: int) -> dict[str, Any]:
        """Returns the sections that are other than at a version, plain values for JSON.

        Args:
            boot: of the process that the version is of.
            since: the version, 0 for all.
        """
        with self._lock:
            if (now := time.monotonic()) >= self._next_look:
                self._look(now)
                self._next_look = time.monotonic() + LOOK_SECONDS
            since = since if boot == self.boot else 0
            return {
                "boot": self.boot,
                "version": self._version,
                "sections": {
                    id: section
                    for id, (version, section) in self._sections.items()
                    if version > since and not (section is None and since == 0)
                },
            }

    def run(self, id: str) -> Section | None:
        """Returns what a run's section has no room for; None where there is no such run."""
        view = self._runs.get(Path(id.removeprefix("run:")))
        return None if view is None else view.details()

    def _look(self, now: float) -> None:
        """Brings all sections up to date."""
        if now >= self._next_search:
            with contextlib.suppress(UsageError):  # what was there is gone
                self._take(contents_of(self._names))
            self._next_search = time.monotonic() + SEARCH_SECONDS
        sections: dict[str, Section] = {}
        for folder, view in self._runs.items():
            if folder.exists():
                sections[f"run:{folder}"] = view.look()
        sections |= self._groups()
        for id, store in self.stores.items():
            sections[id] = store.summary()
        for path, outcome in self._outcomes.items():
            if (section := outcome.look()) is not None:
                kind = "evaluation" if outcome.read is read_evaluation else "answers"
                sections[f"{kind}:{path}"] = section
        for id in dict.fromkeys([*sections, *self._sections]):
            section = sections.get(id)
            if id not in self._sections or self._sections[id][1] != section:
                self._version += 1
                self._sections[id] = (self._version, section)

    def _take(self, contents: Contents) -> None:
        """Adds what is new among what there is to watch."""
        for folder in contents.runs:
            self._runs.setdefault(folder, RunView(folder))
        known = {view.path.resolve() for view in self.stores.values()}
        for path in (*contents.stores, *self._more):
            if path.resolve() not in known:
                known.add(path.resolve())
                prompts = SentPrompts(self._tasks, self._lists)
                id = f"store:{len(self.stores)}"
                self.stores[id] = StoreView(path, self._truths, prompts)
        for path in contents.evaluations:
            self._outcomes.setdefault(path, _Outcome(path, read_evaluation))
        for path in contents.answers:
            self._outcomes.setdefault(path, _Outcome(path, read_answers))

    def _groups(self) -> dict[str, Section]:
        """Returns a section a task: its runs, and its charts."""
        by_task: dict[str, list[RunView]] = {}
        for view in self._runs.values():
            if view.config is not None:
                by_task.setdefault(view.config.task, []).append(view)
        groups = {}
        for task, views in by_task.items():
            id = f"group:{task}"
            charts = self.charts.setdefault(id, Charts())
            folders = tuple(view.run.folder for view in views)
            if self._arms.get(id, (None,))[0] != folders:
                self._arms[id] = (folders, arms_of([view.run for view in views]))
            arms = self._arms[id][1]
            by_folder = {view.run.folder: view for view in views}
            stamp = (folders, tuple(view.stamp for view in views))
            charts.update(
                stamp,
                [
                    Curve(arm.label, [by_folder[run.folder].rows for run in arm.runs])
                    for arm in arms
                ],
            )
            groups[id] = {
                "task": task,
                "runs": [f"run:{folder}" for folder in folders],
                "arms": {f"run:{run.folder}": arm.label for arm in arms for run in arm.runs},
                "charts": charts.list(),
                "version": charts.version,
            }
        return groups

    def _tasks(self) -> list[Task]:
        """Returns the tasks that runs and sets describe."""
        configs = [view.config for view in self._runs.values() if view.config is not None]
        own = {config.task: config.described for config in configs if config.own_task}
        return [*own.values(), *self._truths.tasks]

    def _lists(self) -> list[Sequence[Subgoal]]:
        """Returns the lists of subgoals that are stored with runs."""
        lists: list[Sequence[Subgoal]] = []
        for view in self._runs.values():
            with contextlib.suppress(UsageError):  # a damaged file
                lists += [subgoals] if (subgoals := view.run.subgoals()) else []
        return lists

"""What is known to be true of a description that a judge read: by the engine, and by people.

A store keeps descriptions and answers, and knows no truth. The packaged sets and a user's own do:
a description in a store that also stands in a set has the truth of the set's transitions with that
description, and people's labels of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple

from calm.records import LabelledTransition, Task
from calm.text import clean
from data.dataset import locate, shipped
from data.label.files import read_label_file
from data.parquet import iterate_transitions, read_outline

Source = Literal["engine", "people"]
"""Who says what is true."""
SOURCES: tuple[Source, ...] = ("engine", "people")


class Share(NamedTuple):
    """Of so many transitions or labels, how many achieve a subgoal."""

    yes: int
    of: int

    def denies(self, answer: bool) -> bool:
        """Returns whether an answer is wrong of most; of a half it is neither right nor wrong."""
        return self.yes * 2 != self.of and (self.yes * 2 > self.of) != answer


Shares = Mapping[str, Share]
"""By subgoal."""


class KnownTruths:
    """Looks up the truth of descriptions, in sets that are read when a task of theirs is met.

    Args:
        sets: names, folders or files; the packaged ones where there are none.
        labels: files of people's labels of transitions in these sets.

    Raises:
        UsageError: there is no such set, or a file can't be read.
    """

    def __init__(self, sets: Sequence[str] = (), labels: Sequence[Path] = ()) -> None:
        files = [path for name in sets or shipped() for path in locate(name)[1].values()]
        self._files = {path: read_outline(path)[0] for path in files}
        self._labels: dict[str, list[Mapping[str, bool]]] = {}
        """By transition, what each person who was sure says of each subgoal."""
        for label in (label for path in labels for label in read_label_file(path, readonly=True)):
            if not label.unsure:
                says = {name: name in label.achieved for name in label.asked}
                self._labels.setdefault(label.id, []).append(says)
        self._shares: dict[Source, dict[bytes, dict[str, Share]]] = {s: {} for s in SOURCES}
        self._read: set[str] = set()
        """Tasks whose transitions have been read."""
        self._lock = Lock()

    @property
    def tasks(self) -> Iterator[Task]:
        """Yields the tasks of the sets, as the sets describe them."""
        for tasks in self._files.values():
            yield from tasks.values()

    def shares(self, source: Source, task: str, text: str) -> Shares:
        """Returns what is known of a description; nothing of one that stands in no set."""
        self._read_tasks([task])
        return self._shares[source].get(_key(task, text), {})

    def known(self, tasks: Collection[str]) -> list[Source]:
        """Returns who says anything of any of these tasks."""
        there = [task for task in tasks if any(task in of for of in self._files.values())]
        if not there:
            return []
        return ["engine", "people"] if self._labels else ["engine"]

    def _read_tasks(self, tasks: Collection[str]) -> None:
        with self._lock:
            for task in tasks:
                if task in self._read:
                    continue
                self._read.add(task)
                for path, described in self._files.items():
                    if task in described:
                        for rows in iterate_transitions(path, task):
                            for row in rows:
                                self._add(row)

    def _add(self, row: LabelledTransition) -> None:
        """Counts what is known of one transition towards each of its descriptions."""
        step = row.transition
        for key in {_key(step.task, text) for text in step.texts.values()}:
            self._count("engine", key, row.truth)
            for says in self._labels.get(step.id, ()):
                self._count("people", key, says)

    def _count(self, source: Source, key: bytes, says: Mapping[str, bool]) -> None:
        shares = self._shares[source].setdefault(key, {})
        for name, yes in says.items():
            before = shares.get(name, Share(0, 0))
            shares[name] = Share(before.yes + yes, before.of + 1)


def _key(task: str, text: str) -> bytes:
    return hashlib.sha256(f"{task}\n{clean(text)}".encode("utf-8", "replace")).digest()

"""The store: every answer ever paid for, in one SQLite file that any number of processes share.

An answer's key is the hash of its context (task, mode, subgoals, prompt, model, sampling
parameters), the transition's text and the sample number. What a call brought back is committed raw,
with its usage, before anything tries to read it; so a kill at any moment loses at most the calls in
flight. A lease on the key keeps other processes from asking the same question meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

from calm.endpoint.envelope import Call, Reply
from calm.errors import UsageError
from calm.records import Mode, Subgoal, Usage
from calm.store.database import Database
from calm.store.question import Answer, Context, Question, Reading
from calm.store.tables import Tables


class Store:
    """The answers in one file, with what is known of endpoints and the lists of subgoals.

    A context manager. Args and errors are those of `Database`.
    """

    def __init__(
        self, path: Path | str | None = None, *, readonly: bool = False, synchronous: str = "NORMAL"
    ) -> None:
        self.database = Database(path, readonly=readonly, synchronous=synchronous)
        self.tables = Tables(self.database)
        """The statements about what is in the file."""
        self.leases = self.tables.leases
        self.batches = self.tables.batches

    @classmethod
    def existing(cls, path: Path) -> Self:
        """Opens a file that must be there.

        Raises:
            UsageError: there is no such file.
            StoreError: as `Database`.
        """
        if not path.is_file():
            raise UsageError(f"no store at {path}; name one with --store")
        return cls(path)

    @property
    def path(self) -> Path | None:
        """Returns the file, None for a store in memory."""
        return self.database.path

    @property
    def readonly(self) -> bool:
        """Returns whether the file is only read; then whatever would write is a StoreError."""
        return self.database.readonly

    def transaction(self) -> AbstractContextManager[None]:
        """Commits all writes within together; inside another transaction, with that one."""
        return self.database.transaction()

    def close(self) -> None:
        """Closes the file; answers are already in it."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- answers ---------------------------------------------------------------------------------

    def answers(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        """Returns the stored answers among `keys`."""
        return self.tables.answers.among(keys)

    def record(
        self, context: Context, endpoint: str, call: Call, questions: Sequence[Question] = ()
    ) -> None:
        """Commits what a call brought back, unread, under the keys of its questions.

        A failed call has no questions: it is kept for what it cost.
        """
        self._record(context, endpoint, call, len(questions), enumerate(questions))

    def adopt(
        self, context: Context, endpoint: str, call: Call, items: int, rows: Mapping[int, Question]
    ) -> int:
        """Takes in an answer bought elsewhere, by item; returns how many of its rows were new.

        What this store has an answer to already, it keeps.
        """
        with self.transaction():
            known = self.answers([q.key for q in rows.values()])
            new = {item: q for item, q in rows.items() if q.key not in known}
            if new:
                self._record(context, endpoint, call, items, new.items())
        return len(new)

    def _record(
        self,
        context: Context,
        endpoint: str,
        call: Call,
        items: int,
        questions: Iterable[tuple[int, Question]],
    ) -> None:
        """Commits a call of so many questions, and unread answers to those given here, by item."""
        with self.transaction():
            number = self.tables.contexts.add(context)
            row = self.tables.calls.add(number, endpoint, call, items)
            self.tables.answers.add(number, row, questions)

    def store_verdicts(self, readings: Iterable[Reading]) -> None:
        """Commits how answers were read, and ends the leases on them."""
        rows = list(readings)
        with self.transaction():
            self.tables.answers.set_readings(rows)
            self.leases.free([row.key for row in rows])

    def fill(self, context: Context, keys: Sequence[bytes]) -> None:
        """Puts one and the same good answer under many keys: for the bench and for tests."""
        raw = json.dumps(dict.fromkeys((s.name for s in context.subgoals), True))
        with self.transaction():
            number = self.tables.contexts.add(context)
            call = self.tables.calls.add(number, "", Call(0.0, 0.0, reply=Reply(raw)), 1)
            self.tables.answers.add_same(number, call, keys, len(context.subgoals))

    # --- what was asked, and what it cost --------------------------------------------------------

    def context(self, context: Context) -> int:
        """Returns the row number of a context, which is added if it is new."""
        return self.tables.contexts.add(context)

    def models(self) -> list[str]:
        """Returns the models that were asked, in alphabetical order."""
        return self.tables.contexts.models()

    def never_met(self, least: int = 30) -> list[tuple[str, str, str, int]]:
        """Returns what was asked about and never met: task, model, subgoal, readable answers.

        Args:
            least: answers that must have been read for one to count.
        """
        return self.tables.answers.never_met(least)

    def samples(self, context: Context) -> int:
        """Returns the number of samples of the question of a context that has most; 0 for none."""
        number = self.tables.contexts.number(context)
        return 0 if number is None else self.tables.answers.most_samples(number)

    def fullest_context(
        self,
        task: str,
        subgoals: Sequence[Subgoal],
        model: str,
        mode: Mode,
        templates: Sequence[str] = (),
    ) -> Context | None:
        """Returns the context of a judge, of this task, list, model and description, that has most
        answers, and was asked with one of the templates if any are named; None without one."""
        return self.tables.contexts.fullest(task, subgoals, model, mode, templates)

    def answered_calls(self, model: str) -> tuple[int, int, int, float]:
        """Returns a model's answered calls, their questions, completion tokens, and seconds."""
        return self.tables.calls.answered(model)

    def paid(self, context: Context) -> Usage:
        """Returns what every attempt at questions of this context has cost, whoever asked.

        Imported answers cost nothing here.
        """
        number = self.tables.contexts.number(context)
        return Usage(cost=0.0) if number is None else self.tables.calls.paid(number)

    # --- cards and subgoals ----------------------------------------------------------------------

    def card(self, endpoint: str, model: str) -> dict[str, Any]:
        """Returns what is known of an endpoint's abilities; {} if nothing."""
        return self.tables.cards.card(endpoint, model)

    def keep_card(self, endpoint: str, model: str, card: Mapping[str, Any]) -> None:
        """Adds to what is known of an endpoint's abilities."""
        self.tables.cards.add(endpoint, model, card)

    def keep_subgoals(self, task: str, subgoals: Sequence[Subgoal], source: str) -> str:
        """Keeps a list of subgoals under its hash, which is returned."""
        return self.tables.subgoal_lists.add(task, subgoals, source)

    def subgoal_sets(self, task: str | None = None) -> dict[str, tuple[Subgoal, ...]]:
        """Returns the lists of subgoals kept, by hash, newest first; of one task, or all."""
        return self.tables.subgoal_lists.lists(task)

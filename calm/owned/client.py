"""The store of whatever asks through an owner: what it looks up and keeps goes to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from calm.errors import StoreError
from calm.owned.address import owner_of_environment
from calm.owned.connection import OwnerConnection, connection_to
from calm.owned.wire import (
    QUESTIONS,
    context_value,
    read_answer,
    read_context,
    read_subgoals,
    read_usage,
    reading_value,
    subgoals_value,
)
from calm.records import Mode, Subgoal, Usage
from calm.store.question import Answer, Context, Reading
from calm.store.store import Store

T = TypeVar("T")


def open_store(path: Path | str | None, *, readonly: bool = False) -> Store:
    """Returns the owner's store where the environment names an owner, else the one in a file.

    Args:
        path: of the file; None for one in memory.
        readonly: never write to the file.

    Raises:
        UsageError: the owner's address or token can't be used. StoreError: as `Store`.
    """
    owner = owner_of_environment()
    if owner is not None:
        return OwnerStore(connection_to(owner))
    return Store(path, readonly=readonly)


class OwnerStore(Store):
    """The store that an owner holds, as far as whoever asks needs it.

    Raises:
        StoreError: by whatever needs the file itself.
    """

    def __init__(self, connection: OwnerConnection) -> None:
        self.connection = connection

    def __getattr__(self, name: str) -> NoReturn:
        """Refuses what is of the file, which is not here: its tables, leases and batches."""
        if name in ("database", "tables", "leases", "batches"):
            raise StoreError(
                f"the store is held by the owner at {self.connection.owner.url}, and its file is"
                " there: run this where the file is, without CALM_OWNER"
            )
        raise AttributeError(name)

    @property
    def path(self) -> Path | None:
        """Returns None: the file is elsewhere."""
        return None

    @property
    def readonly(self) -> bool:
        """Returns False: the owner writes."""
        return False

    def close(self) -> None:
        """Leaves the connection to whoever else uses it in this process."""

    def answers(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        """Returns the stored answers among `keys`."""
        found: dict[bytes, Answer] = {}
        for i in range(0, len(keys), QUESTIONS):
            some = [key.hex() for key in keys[i : i + QUESTIONS]]
            found |= self._call(
                lambda value: {bytes.fromhex(key): read_answer(one) for key, one in value},
                "answers",
                keys=some,
            )
        return found

    def store_verdicts(self, readings: Iterable[Reading]) -> None:
        """Commits how answers to questions that are no judge's were read."""
        values = [reading_value(reading) for reading in readings]
        self.connection.call("store_verdicts", readings=values)

    def models(self) -> list[str]:
        """Returns the models that were asked, in alphabetical order."""
        return self._call(lambda value: [str(model) for model in value], "models")

    def never_met(self, least: int = 30) -> list[tuple[str, str, str, int]]:
        """Returns what was asked about and never met, see `Store.never_met`."""
        return self._call(lambda value: [tuple(row) for row in value], "never_met", least=least)

    def samples(self, context: Context) -> int:
        """Returns the number of samples of the question of a context that has most; 0 for none."""
        return self._call(int, "samples", context=context_value(context))

    def fullest_context(
        self,
        task: str,
        subgoals: Sequence[Subgoal],
        model: str,
        mode: Mode,
        templates: Sequence[str] = (),
    ) -> Context | None:
        """Returns the context of a judge that has most answers, see `Store.fullest_context`."""
        return self._call(
            lambda value: None if value is None else read_context(value),
            "fullest_context",
            task=task,
            subgoals=subgoals_value(subgoals),
            model=model,
            mode=mode,
            templates=list(templates),
        )

    def answered_calls(self, model: str) -> tuple[int, int, int, float]:
        """Returns a model's answered calls, their questions, completion tokens, and seconds."""

        def read(value: Any) -> tuple[int, int, int, float]:
            calls, items, completion, seconds = value
            return calls, items, completion, seconds

        return self._call(read, "answered_calls", model=model)

    def paid(self, context: Context) -> Usage:
        """Returns what every attempt at questions of this context has cost, whoever asked."""
        return self._call(read_usage, "paid", context=context_value(context))

    def card(self, endpoint: str, model: str) -> dict[str, Any]:
        """Returns what is known of an endpoint's abilities; {} if nothing."""
        return self._call(dict, "card", endpoint=endpoint, model=model)

    def keep_card(self, endpoint: str, model: str, card: Mapping[str, Any]) -> None:
        """Leaves what is known of an endpoint to the owner, who asks it."""

    def keep_subgoals(self, task: str, subgoals: Sequence[Subgoal], source: str) -> str:
        """Keeps a list of subgoals under its hash, which is returned."""
        return self._call(
            str, "keep_subgoals", task=task, subgoals=subgoals_value(subgoals), source=source
        )

    def subgoal_sets(self, task: str | None = None) -> dict[str, tuple[Subgoal, ...]]:
        """Returns the lists of subgoals kept, by hash, newest first; of one task, or all."""
        return self._call(
            lambda value: {name: read_subgoals(subgoals) for name, subgoals in value},
            "subgoal_sets",
            task=task,
        )

    def _call(self, read: Callable[[Any], T], do: str, **fields: Any) -> T:
        """Returns what `read` makes of the owner's answer; EndpointError where it can't."""
        return self.connection.understood(read, self.connection.call(do, **fields))

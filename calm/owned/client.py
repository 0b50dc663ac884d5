"""The store and the asker of a judge whose questions an owner asks: what they do goes to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from calm.asking.asker import Asker, OnAnswer
from calm.asking.prompt import JudgePrompt
from calm.asking.tally import Tally
from calm.endpoint.budget import Budget
from calm.endpoint.client import Connection, Endpoint
from calm.endpoint.envelope import Reply
from calm.endpoint.pace import Pace
from calm.endpoint.pricing import Price
from calm.endpoint.transport import Transport
from calm.errors import StoreError, UsageError
from calm.owned.address import owner_of_environment
from calm.owned.connection import OwnerConnection, connection_to
from calm.owned.wire import (
    context_value,
    prompt_value,
    read_answer,
    read_context,
    read_judgement,
    read_reply,
    read_subgoals,
    read_usage,
    reading_value,
    subgoals_value,
)
from calm.records import Judgement, Mode, Subgoal, Usage, Verdict
from calm.store.question import Answer, Context, Question, Reading
from calm.store.store import Store

QUESTIONS = 500
"""In one frame, at most."""
_FRAMES = 4
"""Of questions under way at once, of one job."""
_TEXT = 4 << 20
"""Characters of questions in one frame, about."""


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
            value = self.connection.call("answers", keys=some)
            found.update((bytes.fromhex(key), read_answer(one)) for key, one in value)
        return found

    def store_verdicts(self, readings: Iterable[Reading]) -> None:
        """Commits how answers to questions that are no judge's were read."""
        values = [reading_value(reading) for reading in readings]
        self.connection.call("store_verdicts", readings=values)

    def models(self) -> list[str]:
        """Returns the models that were asked, in alphabetical order."""
        return [str(model) for model in self.connection.call("models")]

    def never_met(self, least: int = 30) -> list[tuple[str, str, str, int]]:
        """Returns what was asked about and never met, see `Store.never_met`."""
        return [tuple(row) for row in self.connection.call("never_met", least=least)]

    def samples(self, context: Context) -> int:
        """Returns the number of samples of the question of a context that has most; 0 for none."""
        return int(self.connection.call("samples", context=context_value(context)))

    def fullest_context(
        self,
        task: str,
        subgoals: Sequence[Subgoal],
        model: str,
        mode: Mode,
        templates: Sequence[str] = (),
    ) -> Context | None:
        """Returns the context of a judge that has most answers, see `Store.fullest_context`."""
        value = self.connection.call(
            "fullest_context",
            task=task,
            subgoals=subgoals_value(subgoals),
            model=model,
            mode=mode,
            templates=list(templates),
        )
        return None if value is None else read_context(value)

    def answered_calls(self, model: str) -> tuple[int, int, int, float]:
        """Returns a model's answered calls, their questions, completion tokens, and seconds."""
        calls, items, completion, seconds = self.connection.call("answered_calls", model=model)
        return calls, items, completion, seconds

    def paid(self, context: Context) -> Usage:
        """Returns what every attempt at questions of this context has cost, whoever asked."""
        return read_usage(self.connection.call("paid", context=context_value(context)))

    def card(self, endpoint: str, model: str) -> dict[str, Any]:
        """Returns what is known of an endpoint's abilities; {} if nothing."""
        return dict(self.connection.call("card", endpoint=endpoint, model=model))

    def keep_card(self, endpoint: str, model: str, card: Mapping[str, Any]) -> None:
        """Leaves what is known of an endpoint to the owner, who asks it."""

    def keep_subgoals(self, task: str, subgoals: Sequence[Subgoal], source: str) -> str:
        """Keeps a list of subgoals under its hash, which is returned."""
        value = self.connection.call(
            "keep_subgoals", task=task, subgoals=subgoals_value(subgoals), source=source
        )
        return str(value)

    def subgoal_sets(self, task: str | None = None) -> dict[str, tuple[Subgoal, ...]]:
        """Returns the lists of subgoals kept, by hash, newest first; of one task, or all."""
        lists = self.connection.call("subgoal_sets", task=task)
        return {name: read_subgoals(subgoals) for name, subgoals in lists}


class _NoTransport(Transport):
    """Stands where a way to a model would be: the owner has it.

    Args:
        address: the endpoint's, as the owner tells it.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.timeout = 1.0

    async def aclose(self) -> None:
        """Has nothing to close."""


class OwnerEndpoint(Endpoint):
    """A model behind an owner: its name, address, card and price, as the owner tells them.

    Args:
        spec: of the judge, such as `openai:MODEL`.
    """

    def __init__(self, connection: OwnerConnection, spec: str) -> None:
        self.owner, self.spec = connection, spec
        model = connection.call("model", spec=spec)
        super().__init__(
            Connection(model["model"]),
            pace=Pace(model["cap"]),
            budget=Budget(price=None if model["price"] is None else Price(**model["price"])),
            card=model["card"],
            transport=_NoTransport(model["address"]),
        )

    async def ask_once(
        self, context: Context, question: Question, schema: Mapping[str, Any] | None
    ) -> Reply:
        """Returns the reply to a question that is no judge's, asked once in the whole cluster."""
        value = await self.owner.acall(
            "ask_once",
            spec=self.spec,
            context=context_value(context),
            text=question.text,
            sample=question.sample,
            schema=None if schema is None else dict(schema),
        )
        return read_reply(value)


class OwnerAsker(Asker):
    """Has an owner answer questions: looked up by key, and sent in words where it has no answer.

    Args and errors are those of `Asker`; the errors' words name the owner.
    """

    endpoint: OwnerEndpoint

    def __init__(
        self,
        endpoint: Endpoint,
        store: Store,
        *,
        per_request: int = 1,
        repair: bool = False,
        again: Iterable[Verdict] = (),
    ) -> None:
        if not isinstance(endpoint, OwnerEndpoint):
            raise UsageError("an owner asks its own endpoints")
        super().__init__(endpoint, store, per_request=per_request, repair=repair, again=again)
        self._owner = endpoint.owner
        self._contexts: dict[str, int] = {}
        """Numbers under which the owner knows contexts, by their hash."""
        self._lock = threading.Lock()
        self._prompts: set[int] = set()
        """Of these, those whose prompt it has."""

    def _number(self, context: Context) -> int:
        with self._lock:
            return self._opened_number(context)

    def _opened_number(self, context: Context) -> int:
        if context.hash not in self._contexts:
            number = self._owner.number()
            self._owner.open(
                "open",
                context=number,
                spec=self.endpoint.spec,
                of=context_value(context),
                per_request=self.per_request,
                repair=self.repair,
                again=[verdict.value for verdict in self.again],
            )
            self._contexts[context.hash] = number
        return self._contexts[context.hash]

    def _numbered_prompt(self, context: Context, prompt: JudgePrompt) -> int:
        with self._lock:
            number = self._opened_number(context)
            if number not in self._prompts:
                self._owner.open("prompt", context=number, of=prompt_value(prompt))
                self._prompts.add(number)
        return number

    async def _known(self, context: Context, prompt: JudgePrompt | None = None) -> int:
        """Returns the number under which the owner knows a context, and its prompt if named."""
        number = self._contexts.get(context.hash)
        if number is not None and (prompt is None or number in self._prompts):
            return number
        if prompt is None:
            return await asyncio.to_thread(self._number, context)
        return await asyncio.to_thread(self._numbered_prompt, context, prompt)

    def stored(self, context: Context, questions: Sequence[Question]) -> dict[bytes, Judgement]:
        """Returns what the owner's store answers, by key."""
        return self._look_up(context, questions, "stored")

    def usable(self, context: Context, questions: Sequence[Question]) -> dict[bytes, Judgement]:
        """Returns what it answers and need not be asked again, by key."""
        return self._look_up(context, questions, "look_up")

    def _look_up(
        self, context: Context, questions: Sequence[Question], do: str
    ) -> dict[bytes, Judgement]:
        number = self._number(context)
        done: dict[bytes, Judgement] = {}
        for i in range(0, len(questions), QUESTIONS):
            keys = "".join(q.key.hex() for q in questions[i : i + QUESTIONS])
            self._read(context, self._owner.call(do, context=number, keys=keys), done)
        return done

    def count_before(self, context: Context) -> None:
        """Has the owner count what a context has cost before, once, which it does by itself."""
        self._number(context)

    async def look_up(
        self, context: Context, questions: Sequence[Question], tally: Tally
    ) -> dict[bytes, Judgement]:
        """Returns the usable stored answers, by key, once all questions are counted on `tally`."""
        number = await self._known(context)
        done: dict[bytes, Judgement] = {}
        for i in range(0, len(questions), QUESTIONS):
            keys = "".join(q.key.hex() for q in questions[i : i + QUESTIONS])
            value = await self._owner.acall("look_up", context=number, keys=keys)
            self._read(context, value, done)
        tally.count_stored(len(questions), done)
        return done

    def _read(self, context: Context, value: Any, done: dict[bytes, Judgement]) -> None:
        names = [s.name for s in context.subgoals]
        done.update(read_judgement(one, names) for one in value)

    async def ask(
        self,
        context: Context,
        prompt: JudgePrompt,
        questions: Sequence[Question],
        tally: Tally,
        on_answer: OnAnswer = lambda key, judgement, was_stored: None,
    ) -> dict[bytes, Judgement]:
        """Returns a judgement for each of some questions that the owner has not answered, by key.

        What this asker was the first to ask for counts as spent here; the owner counts all of it.
        """
        number = await self._known(context, prompt)
        names = [s.name for s in context.subgoals]
        done: dict[bytes, Judgement] = {}

        def take(part: Any) -> None:
            for one, is_ours in part["answers"]:
                key, judgement = read_judgement(one, names)
                if key in done:
                    continue  # told before the connection was lost
                done[key] = judgement
                if is_ours:
                    self.endpoint.budget.spent += judgement.usage
                tally.hits += not is_ours
                tally.answered += bool(is_ours)
                tally.verdicts[judgement.verdict] += 1
                on_answer(key, judgement, not is_ours)
            tally.failures.update(part.get("failures", {}))
            tally.cut_prompts += part.get("cut_prompts", 0)
            tally.changed()

        gate = asyncio.Semaphore(_FRAMES)

        async def send(some: Sequence[Question]) -> None:
            async with gate:
                asked = [[q.text, q.sample] for q in some]
                value = await self._owner.acall("ask", take, context=number, questions=asked)
                take(value)

        sending = [asyncio.create_task(send(some)) for some in _frames(questions)]
        try:
            await asyncio.gather(*sending)
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
        return done


def _frames(questions: Sequence[Question]) -> Iterable[Sequence[Question]]:
    """Yields questions in portions that one frame holds."""
    some: list[Question] = []
    size = 0
    for question in questions:
        some.append(question)
        size += len(question.text)
        if len(some) == QUESTIONS or size >= _TEXT:
            yield some
            some, size = [], 0
    if some:
        yield some

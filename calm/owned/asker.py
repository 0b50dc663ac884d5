"""The endpoint and the asker of a judge whose questions an owner asks: what they do goes to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from calm.asking.asker import Asker, OnAnswer
from calm.asking.prompt import JudgePrompt
from calm.asking.tally import Tally
from calm.endpoint.budget import Budget
from calm.endpoint.client import Connection, Endpoint
from calm.endpoint.envelope import Reply
from calm.endpoint.pace import Pace
from calm.endpoint.pricing import Price
from calm.endpoint.transport import Transport
from calm.errors import EndpointError, UsageError
from calm.owned.connection import OwnerConnection
from calm.owned.wire import (
    QUESTIONS,
    context_value,
    prompt_value,
    read_judgement,
    read_reply,
)
from calm.records import Judgement, Verdict
from calm.store.question import Context, Question
from calm.store.store import Store

_FRAMES = 4
"""Of questions under way at once, of one job."""
_TEXT = 4 << 20
"""Characters of questions in one frame, about."""


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
        told = connection.call("model", spec=spec)
        name, cap, price, card, address = connection.understood(_read_model, told)
        super().__init__(
            Connection(name),
            pace=Pace(cap),
            budget=Budget(price=price),
            card=card,
            transport=_NoTransport(address),
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
        return self.owner.understood(read_reply, value)


def _read_model(value: Any) -> tuple[str, int, Price | None, dict[str, Any], str]:
    """Returns a model's name, concurrency, price, card and address, as an owner describes it."""
    price = None if value["price"] is None else Price(**value["price"])
    return str(value["model"]), int(value["cap"]), price, dict(value["card"]), str(value["address"])


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
            some = questions[i : i + QUESTIONS]
            keys, parts = "".join(q.key.hex() for q in some), list[Any]()
            parts.append(self._owner.call(do, parts.append, context=number, keys=keys))
            done |= self._read(context, some, parts)
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
            some = questions[i : i + QUESTIONS]
            keys, parts = "".join(q.key.hex() for q in some), list[Any]()
            parts.append(
                await self._owner.acall("look_up", parts.append, context=number, keys=keys)
            )
            done |= self._read(context, some, parts)
        tally.count_stored(len(questions), done)
        return done

    def _read(
        self, context: Context, questions: Sequence[Question], parts: Sequence[Any]
    ) -> dict[bytes, Judgement]:
        """Returns the judgements in an answer's parts, by key; they are on some of the questions.

        Raises:
            EndpointError: they are not, or none at all.
        """
        names, keys = [s.name for s in context.subgoals], {q.key for q in questions}

        def read(parts: Sequence[Any]) -> dict[bytes, Judgement]:
            done = dict(read_judgement(one, names) for part in parts for one in part)
            if not done.keys() <= keys:
                raise ValueError("an answer to another question")
            return done

        return self._owner.understood(read, parts)

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
        names, keys = [s.name for s in context.subgoals], {q.key for q in questions}
        done: dict[bytes, Judgement] = {}
        faults: list[Exception] = []

        def take(part: Any) -> None:
            try:
                self._owner.understood(take_readable, part)
            except Exception as error:  # in a callback of the event loop nobody would hear of it
                faults.append(error)

        def take_readable(part: Any) -> None:
            for one, is_ours in part["answers"]:
                key, judgement = read_judgement(one, names)
                if key not in keys:
                    raise ValueError("an answer to another question")
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
                if faults:
                    raise faults[0]

        sending = [asyncio.create_task(send(some)) for some in _frames(questions)]
        try:
            await asyncio.gather(*sending)
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
        if missing := len(keys - done.keys()):
            raise EndpointError(
                f"the owner at {self._owner.owner.url} left {missing} of {len(keys)} questions"
                " without an answer; run again"
            )
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

"""Which questions are under way, who waits for them, and whose turn it is.

A question that several ask is asked once: the first asks it, all wait for it. Askers take turns, so
that one with a hundred thousand questions does not keep another with ten from its answers. What
nobody waits for any more is not begun; what is under way is paid for, and comes in.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from calm.asking.asker import Asker
from calm.asking.prompt import JudgePrompt
from calm.asking.tally import Tally
from calm.errors import CalmError, UsageError
from calm.owned.wire import judgement_text
from calm.owner.models import OwnedModel
from calm.records import Judgement, Verdict
from calm.store.question import Context, Question

log = logging.getLogger(__name__)

_CACHE = 128 << 20
"""Characters of answers that are held in memory, about."""


@dataclass(eq=False)
class OpenContext:
    """A context as one asker asks about it."""

    model: OwnedModel
    context: Context
    asker: Asker
    prompt: JudgePrompt | None = None

    @property
    def names(self) -> list[str]:
        """Returns the names of what a judgement is about."""
        return [s.name for s in self.context.subgoals]

    def open_prompt(self, prompt: JudgePrompt) -> None:
        """Takes the prompt in which its questions are put.

        Raises:
            UsageError: another than the context's own.
        """
        if prompt.hash != self.context.prompt or prompt.template != self.context.template:
            raise UsageError(
                "a prompt that this owner renders otherwise than its asker: are both of the same"
                " version of calm?"
            )
        self.prompt = prompt


@dataclass(eq=False)
class Ask:
    """Questions that one asker waits for together."""

    asker: object
    """Whose turn it is: equal for all that one connection asks."""
    waiting: set[bytes] = field(default_factory=set)
    answers: list[tuple[str, int]] = field(default_factory=list)
    """Answers that have come and were not handed on: as text, and 1 where this ask paid for it."""
    failures: Counter[str] = field(default_factory=Counter)
    cut_prompts: int = 0
    error: Exception | None = None
    ended: bool = False
    """Whether nobody waits any more."""
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class _Flight:
    """A question that is being asked, or stands in line."""

    waiters: list[tuple[Ask, OpenContext]]
    """The first is the one that asks it."""


@dataclass(eq=False)
class _Group:
    """Questions to put into one request."""

    ask: Ask
    opened: OpenContext
    questions: list[Question]


class Line:
    """Groups of questions that wait to be asked; askers take turns."""

    def __init__(self) -> None:
        self._queues: dict[object, deque[_Group]] = {}

    def put(self, group: _Group) -> None:
        """Adds a group at the end of its asker's queue."""
        self._queues.setdefault(group.ask.asker, deque()).append(group)

    def take(self) -> _Group | None:
        """Returns the next group of the asker whose turn it is; None if there is none."""
        if not self._queues:
            return None
        asker, queue = next(iter(self._queues.items()))
        group = queue.popleft()
        del self._queues[asker]
        if queue:
            self._queues[asker] = queue  # at the end
        return group


class Questions:
    """Answers questions of many askers from memory, the store, and models."""

    def __init__(self) -> None:
        self._flights: dict[bytes, _Flight] = {}
        self._lines: dict[OwnedModel, Line] = {}
        self._workers: dict[OwnedModel, set[asyncio.Task[None]]] = {}
        self._cache: dict[tuple[bool, bytes], str] = {}
        """Usable answers as text, by whether small faults were mended, and key; oldest first."""
        self._cached = 0

    # --- answers that are there ------------------------------------------------------------------

    async def look_up(
        self, opened: OpenContext, keys: Sequence[bytes], *, again: bool = True
    ) -> list[str]:
        """Returns the stored answers among keys, as text.

        Args:
            again: leave out those that the asker wants to ask again.
        """
        asker = opened.asker
        cache, repair = self._cache, asker.repair
        if asker.again:
            look = asker.usable if again else asker.stored
            done = await asyncio.to_thread(look, opened.context, [Question(k, "") for k in keys])
            return [judgement_text(key, j, opened.names) for key, j in done.items()]
        known = [cache.get((repair, key)) for key in keys]
        missing = [key for key, text in zip(keys, known, strict=True) if text is None]
        texts = [text for text in known if text is not None]
        if missing:
            questions = [Question(key, "") for key in missing]
            done = await asyncio.to_thread(asker.stored, opened.context, questions)
            texts += [self._encode(opened, key, judgement) for key, judgement in done.items()]
        return texts

    def _encode(self, opened: OpenContext, key: bytes, judgement: Judgement) -> str:
        """Returns an answer as text, which is kept in memory where it is one of the store's."""
        text = judgement_text(key, judgement, opened.names)
        if judgement.verdict is not Verdict.ERROR:
            place = (opened.asker.repair, key)
            self._forget(place)
            self._cached += len(text)
            self._cache[place] = text
            while self._cached > _CACHE:
                self._forget(next(iter(self._cache)))
        return text

    def _forget(self, place: tuple[bool, bytes]) -> None:
        self._cached -= len(self._cache.pop(place, ""))

    # --- asking ----------------------------------------------------------------------------------

    def ask(self, ask: Ask, opened: OpenContext, questions: Sequence[Question]) -> None:
        """Has questions asked; `ask` gets the answers as they come.

        Raises:
            UsageError: they can't be put into words yet.
        """
        if opened.prompt is None:
            raise UsageError("this owner was not told the prompt of these questions")
        new: list[Question] = []
        for question in questions:
            cached = self._cache.get((opened.asker.repair, question.key))
            if cached is not None and not opened.asker.again:  # landed since it was looked up
                ask.answers.append((cached, 0))
                continue
            ask.waiting.add(question.key)
            if flight := self._flights.get(question.key):
                flight.waiters.append((ask, opened))
            else:
                self._flights[question.key] = _Flight([(ask, opened)])
                new.append(question)
        line = self._lines.setdefault(opened.model, Line())
        size = opened.asker.per_request
        for sample in dict.fromkeys(q.sample for q in new):
            mine = [q for q in new if q.sample == sample]
            for i in range(0, len(mine), size):
                line.put(_Group(ask, opened, mine[i : i + size]))
        workers = self._workers.setdefault(opened.model, set())
        free = opened.model.endpoint.pace.cap - len(workers)
        for _ in range(min(free, -(-len(new) // size))):
            worker = asyncio.create_task(self._work(opened.model))
            workers.add(worker)
            worker.add_done_callback(workers.discard)

    async def _work(self, model: OwnedModel) -> None:
        while (group := self._lines[model].take()) is not None:
            if not self._is_wanted(group):
                for question in group.questions:
                    self._flights.pop(question.key, None)
                continue
            await self._ask(group)

    def _is_wanted(self, group: _Group) -> bool:
        flights = [self._flights[q.key] for q in group.questions if q.key in self._flights]
        return any(not ask.ended for flight in flights for ask, _ in flight.waiters)

    async def _ask(self, group: _Group) -> None:
        opened, tally = group.opened, Tally()
        assert opened.prompt is not None
        flights = {q.key: self._flights[q.key] for q in group.questions}

        def tell_faults() -> None:
            group.ask.failures.update(tally.failures)
            group.ask.cut_prompts += tally.cut_prompts
            tally.failures.clear()
            tally.cut_prompts = 0

        def land(key: bytes, judgement: Judgement, was_stored: bool) -> None:
            tell_faults()
            self._land(key, judgement, opened, was_stored)

        problem: Exception | None = None
        try:
            await opened.asker.ask(opened.context, opened.prompt, group.questions, tally, land)
        except CalmError as error:
            problem = error
        except Exception as error:  # else those who wait would wait for ever
            log.exception("an owner failed over a question")
            problem = error
        tell_faults()
        for key, flight in flights.items():
            if self._flights.get(key) is flight:  # not landed, nor begun anew since it has
                del self._flights[key]
                for ask, _ in flight.waiters:
                    ask.error = problem or CalmError("the owner has no answer to a question")
                    ask.news.set()

    def _land(
        self, key: bytes, judgement: Judgement, opened: OpenContext, was_stored: bool
    ) -> None:
        """Hands an answer to all who wait for it."""
        flight = self._flights.pop(key, None)
        if flight is None:
            return
        for repair in (False, True):  # an answer that was asked for again takes their place
            self._forget((repair, key))
        text = self._encode(opened, key, judgement)
        for number, (ask, its) in enumerate(flight.waiters):
            own = text
            if its.asker.repair != opened.asker.repair:  # it reads the same reply otherwise
                try:
                    stored = its.asker.stored(its.context, [Question(key, "")])
                except CalmError as error:  # of its own; the others have their answer
                    ask.error = error
                    ask.news.set()
                    continue
                own = self._encode(its, key, stored.get(key, judgement))
            ask.waiting.discard(key)
            ask.answers.append((own, int(number == 0 and not was_stored)))
            ask.news.set()

    async def aclose(self) -> None:
        """Cancels what is under way."""
        workers = [worker for some in self._workers.values() for worker in some]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

"""Gets questions answered: from the store where it can, else from the endpoint, each only once.

Workers take questions as they come free, so a million questions don't mean a million tasks. A
question is leased before it is asked, so that processes that share a store share the work; what
others have leased is waited for. Answers are committed raw, then read, then committed as read.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from calm.asking.answer_reader import AnswerReader
from calm.asking.prompt import JudgePrompt
from calm.asking.prompt_size import PromptSizes
from calm.asking.tally import Tally
from calm.endpoint.client import Endpoint
from calm.endpoint.envelope import Call, Reply
from calm.endpoint.faults import RowFault
from calm.errors import CalmError, StoreError
from calm.records import Judgement, Usage, Verdict
from calm.store.question import Answer, Context, Question
from calm.store.store import Store
from calm.store.writer import Writer

log = logging.getLogger(__name__)

OnAnswer = Callable[[bytes, Judgement, bool], None]
"""Called with a question's key, the judgement on it, and whether someone else had it stored."""

_LEASE = 60.0  # seconds; renewed while at work
_LOOK_AGAIN = 0.25  # seconds between looks for what other processes are asking


class Asker:
    """Answers questions of one context after another through one endpoint and one store.

    Args:
        per_request: questions in one request, K >= 1.
        repair: mend small faults of form (see `calm.asking.parse`).
        again: verdicts that are not taken from the store but asked again, each question once; the
            new answer takes the place of the old one, whose raw reply stays in the store.
        writer: commits what is asked; None for one of its own for each job.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        store: Store,
        *,
        per_request: int = 1,
        repair: bool = False,
        again: Iterable[Verdict] = (),
        writer: Writer | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.writer = writer
        self.store = store
        self.per_request = per_request
        self.repair = repair
        self.again = frozenset(again)
        self._counted: set[str] = set()
        self._sizes = PromptSizes(endpoint.card, lambda news: endpoint.keep_card(news))
        self._warned = False
        self._stale: dict[bytes, Reply] = {}
        """Replies that are to be asked for again; any other under the same key is newer."""

    def stored(self, context: Context, questions: Sequence[Question]) -> dict[bytes, Judgement]:
        """Returns what the store answers, by key."""
        return {key: judgement for key, (_, judgement) in self._stored(context, questions).items()}

    def usable(self, context: Context, questions: Sequence[Question]) -> dict[bytes, Judgement]:
        """Returns what the store answers and need not be asked again, by key."""
        usable = {}
        for key, (answer, judgement) in self._stored(context, questions).items():
            if judgement.verdict in self.again:
                stale = self._stale.setdefault(key, answer.reply)
                if stale == answer.reply:
                    continue
            usable[key] = judgement
        return usable

    def _stored(
        self, context: Context, questions: Sequence[Question]
    ) -> dict[bytes, tuple[Answer, Judgement]]:
        reader = AnswerReader(context, repair=self.repair)
        answers = self.store.answers([q.key for q in questions])
        unread = {key: answer for key, answer in answers.items() if answer.verdict is None}
        if unread and not self.store.readonly:
            # Someone was killed between keeping them and reading them.
            self.store.store_verdicts(reader.read_stored(k, a) for k, a in unread.items())
        return {key: (answer, reader.judgement(answer)) for key, answer in answers.items()}

    def notice_cut(self, context: Context, characters: int, call: Call) -> str:
        """Returns what tells that the server has cut a prompt of so many characters, "" if nothing.

        The first time it is logged as a warning too.
        """
        if call.reply is None or call.detail:  # the token counts are our own estimate
            return ""
        cut = self._sizes.check(context.mode, characters, call.reply.usage)
        if cut and not self._warned:
            self._warned = True
            log.warning(
                "%s: %s. What it answers is about the rest of the prompt: give it a longer context"
                " (Ollama: num_ctx or OLLAMA_CONTEXT_LENGTH), or use a shorter description",
                self.endpoint.address,
                cut,
            )
        return cut

    @property
    def stale(self) -> Collection[bytes]:
        """Returns the keys of stored answers to be asked for again, of the questions met so far."""
        return self._stale.keys()

    def count_before(self, context: Context) -> None:
        """Lets the budget know, once a context, what it has cost before this run."""
        if context.hash not in self._counted:
            self._counted.add(context.hash)
            self.endpoint.budget.count_before(self.store.paid(context))

    async def answers(
        self,
        context: Context,
        prompt: JudgePrompt,
        questions: Sequence[Question],
        tally: Tally | None = None,
    ) -> dict[bytes, Judgement]:
        """Returns a judgement for each question, by key. Questions must be distinct.

        Args:
            tally: counts on what is done, while it is done.

        Raises:
            EndpointError, BudgetError, StoreError: work has stopped; the store has what was done.
        """
        tally = tally or Tally()
        done = await self.look_up(context, questions, tally)
        todo = [q for q in questions if q.key not in done]
        if todo:
            done |= await self.ask(context, prompt, todo, tally)
        return done

    async def look_up(
        self, context: Context, questions: Sequence[Question], tally: Tally
    ) -> dict[bytes, Judgement]:
        """Returns the usable stored answers, by key, once all questions are counted on `tally`.

        Raises:
            StoreError: some have none, and the store can only be read.
        """
        self.count_before(context)
        done = self.usable(context, questions)
        tally.count_stored(len(questions), done)
        if self.store.readonly and len(done) < len(questions):
            raise StoreError(
                f"{len(questions) - len(done)} of {len(questions)} questions have no answer in"
                f" {self.store.path}, which can only be read, so none is asked; name another store"
                " with --store"
            )
        return done

    async def ask(
        self,
        context: Context,
        prompt: JudgePrompt,
        questions: Sequence[Question],
        tally: Tally,
        on_answer: OnAnswer = lambda key, judgement, was_stored: None,
    ) -> dict[bytes, Judgement]:
        """Returns a judgement for each of some questions that the store does not answer, by key.

        Args:
            on_answer: called with each judgement once it is committed.

        Raises:
            EndpointError, BudgetError, StoreError: work has stopped; the store has what was done.
        """
        done: dict[bytes, Judgement] = {}
        await _Job(self, context, prompt, questions, done, tally, on_answer).run()
        return done


class _Job:
    """One call of `Asker.answers`: its queue, its leases and its workers."""

    def __init__(
        self,
        asker: Asker,
        context: Context,
        prompt: JudgePrompt,
        todo: Sequence[Question],
        done: dict[bytes, Judgement],
        tally: Tally,
        on_answer: OnAnswer,
    ) -> None:
        self.tally, self.on_answer = tally, on_answer
        self.asker, self.store, self.endpoint = asker, asker.store, asker.endpoint
        self.context, self.prompt, self.done = context, prompt, done
        self.reader = AnswerReader(context, repair=asker.repair)
        self.unclaimed = deque(todo)
        self.ours: deque[Question] = deque()
        self.theirs: deque[Question] = deque()
        self.owner = f"{self.store.leases.process}:{uuid.uuid4().hex[:12]}"
        self.stop: CalmError | None = None
        self.writer = asker.writer or Writer(asker.store)
        self._queued_writes: set[asyncio.Future[None]] = set()
        self._feeding = asyncio.Lock()

    async def run(self) -> None:
        per_request = self.asker.per_request
        groups = -(-len(self.unclaimed) // per_request)
        workers = [
            asyncio.create_task(self._work()) for _ in range(min(self.endpoint.pace.cap, groups))
        ]
        heartbeat = asyncio.create_task(self._keep_leases())
        try:
            await asyncio.gather(*workers)
        finally:
            heartbeat.cancel()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(heartbeat, *workers, return_exceptions=True)
            await asyncio.gather(*self._queued_writes, return_exceptions=True)
            if self.asker.writer is None:
                self.writer.close()
            self.store.leases.release(self.owner)
        if self.stop is not None:
            raise self.stop

    async def _keep_leases(self) -> None:
        try:
            while True:
                await asyncio.sleep(_LEASE / 3)
                self.store.leases.renew(self.owner, _LEASE)
        except CalmError as error:  # else others would soon ask the same
            self.stop = self.stop or error

    async def _work(self) -> None:
        while self.stop is None and (group := await self._take()):
            try:
                await self._ask(group)
            except CalmError as error:
                # What is in flight elsewhere is paid for: it may still come in.
                self.stop = self.stop or error

    async def _take(self) -> list[Question]:
        """Returns the next questions to ask together, leased to us; empty when nothing is left."""
        async with self._feeding:
            while not self.ours and self.stop is None and (self.unclaimed or self.theirs):
                if not self.unclaimed:
                    await asyncio.sleep(_LOOK_AGAIN)
                    self.unclaimed, self.theirs = self.theirs, self.unclaimed
                self._claim()
            size = min(self.asker.per_request, len(self.ours))
            group = [self.ours.popleft() for _ in range(size)]
            # One request holds one sample number: the seed may follow it.
            for question in reversed([q for q in group if q.sample != group[0].sample]):
                self.ours.appendleft(question)
            return [q for q in group if q.sample == group[0].sample]

    def _claim(self) -> None:
        """Leases the next block of questions; drops those that someone has answered meanwhile."""
        size = max(64, 2 * self.endpoint.pace.cap) * self.asker.per_request
        block = [self.unclaimed.popleft() for _ in range(min(size, len(self.unclaimed)))]
        claimed = self.store.leases.claim(
            [q.key for q in block], self.owner, _LEASE, superseding=self.asker.stale
        )
        # Others may have answered it, anew too, since we looked last.
        look = [q for q in block if q.key not in claimed or q.key in self.asker.stale]
        answered = self.asker.usable(self.context, look) if look else {}
        for key, judgement in answered.items():
            self._finish(key, judgement, hit=True)
        if both := claimed & answered.keys():
            self.store.leases.release(self.owner, list(both))
        rest = [q for q in block if q.key not in answered]
        self.ours.extend(q for q in rest if q.key in claimed)
        self.theirs.extend(q for q in rest if q.key not in claimed)

    async def _ask(self, group: Sequence[Question]) -> None:
        params = dict(self.context.params)
        params.pop("per_request", None)
        if self.prompt.prefill:
            params["prefill"] = self.prompt.prefill
        if "seed" in params:
            params["seed"] += group[0].sample
        try:
            prompt = self.prompt.render([q.text for q in group])
            call = await self.endpoint.ask(
                prompt,
                params,
                schema=self.prompt.schema(len(group)),
                on_failure=self._failed,
            )
        except RowFault as fault:
            reason = f"{fault.kind}: {fault.detail}"[:500]
            self._row_fault(group, fault.verdict, reason)
            return
        reply = call.reply
        assert reply is not None
        if cut := self.asker.notice_cut(self.context, len(prompt), call):
            self.tally.cut_prompts += 1
            call = replace(call, detail=cut)
        await self.writer.submit(
            lambda: self.store.record(
                self.context, call.endpoint or self.endpoint.address, call, group
            )
        )
        readings = self.reader.read([q.key for q in group], reply)
        # Not waited for: whoever is killed now finds the answer unread, and reads it.
        self._later(lambda: self.store.store_verdicts(readings))
        for item, row in enumerate(readings):
            self._finish(row.key, self.reader.judgement_of(row, reply, item))

    def _failed(self, call: Call) -> None:
        self.tally.failures[call.outcome] += 1
        address = call.endpoint or self.endpoint.address
        self._later(lambda: self.store.record(self.context, address, call))
        self.tally.changed()

    def _later(self, write: Callable[[], None]) -> None:
        """Queues a write that nothing waits for; if it fails, the work stops."""

        def written(future: asyncio.Future[None]) -> None:
            self._queued_writes.discard(future)
            if not future.cancelled() and isinstance(error := future.exception(), CalmError):
                self.stop = self.stop or error

        future = self.writer.submit(write)
        self._queued_writes.add(future)
        future.add_done_callback(written)

    def _row_fault(self, group: Sequence[Question], verdict: Verdict, reason: str) -> None:
        """Counts rows without an answer: an `error` of this run, which a later run asks again."""
        self.store.leases.release(self.owner, [q.key for q in group])
        for question in group:
            self._finish(question.key, Judgement(verdict, reason=reason, usage=Usage()))

    def _finish(self, key: bytes, judgement: Judgement, *, hit: bool = False) -> None:
        self.done[key] = judgement
        self.tally.hits += hit
        self.tally.answered += not hit
        self.tally.verdicts[judgement.verdict] += 1
        self.tally.changed()
        self.on_answer(key, judgement, hit)

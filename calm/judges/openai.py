"""The judge that asks a language model at any OpenAI-compatible endpoint."""

from __future__ import annotations

import statistics
import weakref
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from calm.asking.asker import Asker
from calm.asking.batch_api import BatchAsker
from calm.asking.confidence import vote
from calm.asking.estimate import Plan, estimate, sum_of
from calm.asking.form import BOOLEANS, form_named
from calm.asking.one_by_one import Item, ask_items, combine_answers
from calm.asking.prompt import JudgePrompt
from calm.asking.tally import Tally
from calm.endpoint.budget import Budget, Limits
from calm.endpoint.client import Connection, Endpoint
from calm.endpoint.envelope import Call, Reply
from calm.endpoint.group import open_endpoint
from calm.endpoint.loop_thread import LoopThread
from calm.endpoint.pace import Pace
from calm.endpoint.pricing import Price, price_of
from calm.endpoint.transport import Transport
from calm.errors import UsageError, unknown
from calm.judges.thresholds import apply_thresholds, check_thresholds
from calm.records import Judgement, Mode, Subgoal, Task, Transition, Usage, Verdict
from calm.store.question import Context, Question
from calm.store.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class OpenAIOptions:
    """How a model at an endpoint is asked, read and paid."""

    base_url: str | None = None
    """None: `OPENAI_BASE_URL`, or OpenAI's own. Several addresses of one model, separated by
    spaces, share the work."""
    key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the key."""
    form: str = BOOLEANS.name
    """Form of question and answer, see `calm.asking.form`."""
    template: str = ""
    """Prompt template, a file in calm/asking/prompts that asks in this form; "" for its own."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """By subgoal, or `*`: how likely is a yes, where the answer tells; see
    `calm.judges.thresholds`."""
    temperature: float | None = None
    """None: 0 for one sample, 0.7 for several."""
    max_tokens: int = 1024
    """Most tokens of one answer, as in the paper."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """More sampling parameters, as the endpoint names them (`reasoning_effort`, `top_p`, ...)."""
    samples: int = 1
    """Answers for each question; the majority counts, the share of yes is the confidence."""
    logprobs: bool = False
    """Take the confidence from log-probabilities, where the endpoint gives them."""
    per_request: int = 1
    """Transitions in one request."""
    batch: bool = False
    """Through the Batch API: within a day, for less."""
    poll: float = 30.0
    """Seconds between looks at a batch."""
    repair: bool = False
    """Mend small faults of form, and mark the answer `repaired`."""
    again: tuple[Verdict, ...] = ()
    """Verdicts that are asked again rather than taken from the store."""
    concurrency: int = 64
    """Never more requests at once."""
    rpm: float | None = None
    """Requests a minute that the account allows."""
    tpm: float | None = None
    """Tokens a minute that the account allows."""
    timeout: float = 120.0
    """Seconds for one attempt, in all."""
    deadline: float = 900.0
    """Seconds for one question, its retries included."""
    backoff: float = 0.5
    """Seconds before a second attempt, about; doubles with each."""
    patient: bool = False
    """Stop the work (`EndpointError`) when the endpoint is silent for a whole deadline, rather than
    leave a row without an answer and ask the next."""
    limits: Limits = field(default_factory=Limits)
    """What may be spent."""
    price: Price | None = None
    """US dollars per million tokens; None: looked up in a price file."""
    prices: Path | None = None
    """The price file."""


class OpenAIJudge:
    """Asks `model` about transitions; every answer goes through the store.

    Args:
        store: None keeps the answers in memory, for this judge alone.
        seed: sent to the endpoint as it is, plus the sample's number.
        transport: the way to the model; None goes to `options.base_url`.
        endpoint: the model itself, with its own pace and budget, in place of all that.
        asker: what gets questions answered; None for the usual one.

    Raises:
        UsageError: an option can't be used. EndpointError: no key where one is needed.
    """

    def __init__(
        self,
        model: str,
        mode: Mode = "events",
        *,
        store: Store | None = None,
        options: OpenAIOptions | None = None,
        seed: int | None = None,
        transport: Transport | None = None,
        endpoint: Endpoint | None = None,
        asker: type[Asker] | None = None,
    ) -> None:
        o = self.options = options or OpenAIOptions()
        if not model:
            raise UsageError("name the model: openai:MODEL, e.g. openai:gpt-5-mini")
        if o.samples < 1 or o.per_request < 1 or o.max_tokens < 1:
            raise UsageError("samples, transitions a request and tokens an answer must be positive")
        form = self.form = form_named(o.form)
        if form.asks != "list" and o.per_request > 1:
            raise UsageError(f"the form {form.name} asks about one transition a request, not more")
        form.check_mode(mode)
        self.thresholds = check_thresholds(o.thresholds, "thresholds") if o.thresholds else {}
        self.template = o.template or form.template
        if self.template not in form.templates:
            raise unknown(f"template of the form {form.name}", self.template, form.templates)
        self.model = model
        self.mode: Mode = mode
        self.store = store or Store()
        self.price = o.price or price_of(model, o.prices)
        """None: not known, so the cost is not known either."""
        if o.batch and self.price is not None:
            self.price = self.price.batched()
        temperature = o.temperature if o.temperature is not None else (0.7 if o.samples > 1 else 0)
        self.free_params: dict[str, Any] = {
            "temperature": temperature,
            "max_tokens": o.max_tokens,
            **({"seed": seed} if seed is not None else {}),
            **({"logprobs": True, "top_logprobs": 5} if o.logprobs else {}),
            **({"per_request": o.per_request} if o.per_request > 1 else {}),
            **dict(o.extra),
        }
        """Sampling parameters of a question in no form, such as for subgoals."""
        self.params: dict[str, Any] = self.free_params | dict(form.params)
        if endpoint is None:
            connection = Connection(
                model, o.base_url, o.key_env, o.timeout, o.deadline, o.backoff, o.patient
            )
            budget = Budget(o.limits, self.price, o.max_tokens)
            endpoint = open_endpoint(
                connection, lambda: Pace(o.concurrency, o.rpm, o.tpm), budget, transport
            )
            for member in endpoint.members:
                keep = partial(self.store.keep_card, member.address, model)
                member.card |= self.store.card(member.address, model)
                member.keep_card = keep
        if o.batch and len(endpoint.members) > 1:
            raise UsageError("the Batch API is of one endpoint: name one address with --batch")
        self.endpoint = endpoint
        self.budget = endpoint.budget
        self.asker = (asker or (BatchAsker if o.batch else Asker))(
            self.endpoint,
            self.store,
            per_request=o.per_request,
            repair=o.repair,
            again=o.again,
        )
        if isinstance(self.asker, BatchAsker):
            self.asker.poll = o.poll
        self.loop = LoopThread()
        """Where requests are made and connections live."""
        # Connections are closed when the judge goes, or the process does.
        self._closer = weakref.finalize(self, _close, self.loop, self.endpoint)
        self._items: dict[object, list[Item]] = {}

    @property
    def name(self) -> str:
        """Returns the spec that builds it again, e.g. `openai:gpt-5-mini`."""
        return f"openai:{self.model}"

    @property
    def usage(self) -> Usage:
        """Returns what this judge has spent, failed attempts included."""
        return self.budget.spent

    def judge(
        self,
        task: Task,
        subgoals: Sequence[Subgoal],
        transitions: Sequence[Transition],
        *,
        tally: Tally | None = None,
    ) -> list[Judgement]:
        """Returns one judgement for each transition, in the same order.

        Args:
            tally: counts on what is done, while it is done.
        """
        return self.loop.run(self.ajudge(task, subgoals, transitions, tally=tally))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns the result of a coroutine on the event loop where the connections live."""
        return self.loop.run(work)

    async def ajudge(
        self,
        task: Task,
        subgoals: Sequence[Subgoal],
        transitions: Sequence[Transition],
        *,
        tally: Tally | None = None,
    ) -> list[Judgement]:
        """Returns the same, for callers that run an event loop. Equal texts are asked once."""
        items = self.items(task, subgoals)
        texts = [t.texts[self.mode] for t in transitions]
        pieces = self.form.different_pieces(texts)
        questions = [self.questions(item.context, pieces) for item in items]
        answers = await ask_items(self.asker, items, questions, tally or Tally())
        return self._judgements(subgoals, items, questions, answers, texts)

    def ask_once(
        self, context: Context, question: Question, schema: Mapping[str, Any] | None, store: Store
    ) -> Reply:
        """Returns the reply to a question in no form, which is in the store then, unread.

        Raises:
            RowFault: it has no answer. EndpointError, BudgetError: asking further is pointless.
        """

        def failed(call: Call) -> None:
            store.record(context, call.endpoint or self.endpoint.address, call)

        call = self.run(
            self.endpoint.ask(question.text, context.params, schema=schema, on_failure=failed)
        )
        store.record(context, call.endpoint or self.endpoint.address, call, [question])
        assert call.reply is not None
        return call.reply

    def recall(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement | None]:
        """Returns what the store answers, without asking; None where a sample is missing."""
        items = self.items(task, subgoals)
        texts = [t.texts[self.mode] for t in transitions]
        pieces = self.form.different_pieces(texts)
        questions = [self.questions(item.context, pieces) for item in items]
        stored = [
            self.asker.stored(item.context, of_item)
            for item, of_item in zip(items, questions, strict=True)
        ]
        missing = {
            q.text
            for of_item, answers in zip(questions, stored, strict=True)
            for q in of_item
            if q.key not in answers
        }
        known = [t for t in texts if missing.isdisjoint(self.form.pieces(t))]
        questions = [[q for q in of_item if q.text not in missing] for of_item in questions]
        judgements = iter(self._judgements(subgoals, items, questions, stored, known))
        answered = set(known)
        return [next(judgements) if t in answered else None for t in texts]

    def _judgements(
        self,
        subgoals: Sequence[Subgoal],
        items: Sequence[Item],
        questions: Sequence[Sequence[Question]],
        answers: Sequence[Mapping[bytes, Judgement]],
        texts: Sequence[str],
    ) -> list[Judgement]:
        """Returns one judgement for each text from the answers to each item's questions."""
        by_item = {
            item.name: _by_piece(item.context, of_item, known)
            for item, of_item, known in zip(items, questions, answers, strict=True)
        }
        judgements = combine_answers(self.form, subgoals, texts, by_item)
        return [apply_thresholds(j, self.thresholds) for j in judgements]

    def plan(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> Plan:
        """Returns what asking about these transitions would take; asks nothing."""
        pieces = self.form.different_pieces(t.texts[self.mode] for t in transitions)
        return sum_of(
            estimate(
                self.asker,
                item.context,
                item.prompt,
                self.questions(item.context, pieces),
                len(transitions),
            )
            for item in self.items(task, subgoals)
        )

    def paid(self, task: Task, subgoals: Sequence[Subgoal]) -> Usage:
        """Returns what these questions have cost so far, by what the store knows."""
        items = self.items(task, subgoals)
        return sum((self.store.paid(item.context) for item in items), Usage())

    def count_paid(self, task: Task, subgoals: Sequence[Subgoal]) -> None:
        """Counts what these questions have cost before this run towards the limits, once."""
        for item in self.items(task, subgoals):
            self.asker.count_before(item.context)

    def close(self) -> None:
        """Closes connections; the store stays open for whoever opened it."""
        self._closer()

    def context(self, task: Task, subgoals: Sequence[Subgoal]) -> Context:
        """Returns all of the key of an answer but the text and the sample number.

        In a form that asks about one subgoal or statement a request, of the first of them.
        """
        return self.items(task, subgoals)[0].context

    def items(self, task: Task, subgoals: Sequence[Subgoal]) -> list[Item]:
        """Returns what is asked in requests of their own, as this judge's form splits a list."""
        task = self.form.task(task)
        key = (task, tuple((s, s.statements) for s in subgoals))
        if key not in self._items:
            self._items[key] = [
                self._item(task, subgoals, about) for about in self.form.items(subgoals)
            ]
        return self._items[key]

    def _item(self, task: Task, subgoals: Sequence[Subgoal], about: tuple[Subgoal, ...]) -> Item:
        alone = self.form.asks != "list"
        shown = about if self.form.asks == "statement" else subgoals
        prompt = JudgePrompt(task, shown, self.mode, self.template, about if alone else ())
        context = Context(
            task.id, about, self.model, self.mode, prompt.template, prompt.hash, self.params
        )
        return Item(about[0].name if alone else "", context, prompt)

    def questions(self, context: Context, texts: Iterable[str]) -> list[Question]:
        """Returns the distinct questions about texts: one for each sample of each."""
        return [
            Question(context.key(text, sample), text, sample)
            for sample in range(self.options.samples)
            for text in dict.fromkeys(texts)
        ]


def _by_piece(
    context: Context, questions: Sequence[Question], judgements: Mapping[bytes, Judgement]
) -> dict[str, Judgement]:
    """Returns one judgement for each text that was asked about, from those of its samples."""
    samples: dict[str, list[Judgement]] = {}
    for question in questions:
        samples.setdefault(question.text, []).append(judgements[question.key])
    return {text: _combine(ones, context.subgoals) for text, ones in samples.items()}


def _combine(samples: Sequence[Judgement], subgoals: Sequence[Subgoal]) -> Judgement:
    if len(samples) == 1:
        return samples[0]
    names = [s.name for s in subgoals]
    verdict, achieved, shares = vote(
        [j.row(subgoals) for j in samples], [j.verdict for j in samples]
    )
    counts = statistics.multimode(j.verdict.value for j in samples)
    return Judgement(
        verdict,
        {n: bool(a) for n, a in zip(names, achieved, strict=True)} if achieved else {},
        dict(zip(names, shares, strict=True)) if shares else None,
        "\n".join(j.raw for j in samples),
        f"{len(samples)} samples, mostly {counts[0]}",
        sum((j.usage for j in samples), Usage()),
    )


def _close(loop: LoopThread, endpoint: Endpoint) -> None:
    loop.run(endpoint.aclose())
    loop.close()

"""Asks a model a question that is no judgement, such as for subgoals; answers are stored too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from calm.endpoint.envelope import Reply
from calm.endpoint.faults import RowFault
from calm.errors import CalmError, UsageError
from calm.judges.protocol import RemoteJudge
from calm.records import Verdict
from calm.store.question import Context, Question, Reading
from calm.store.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class OpenQuestion(Generic[T]):
    """A question, and how its answer is read."""

    task: str
    """Id of the task that it is about."""
    prompt: str
    template: str
    """Name of the file that the prompt was rendered from."""
    template_hash: str
    read: Callable[[Reply], T]
    """From a reply to what it says; raises UsageError where that can't be used."""
    failure: str
    """What the model has not done where no answer can be used, such as "named no subgoals"."""
    advice: str
    """What to do then."""
    schema: dict[str, object] | None = None
    """Of the answer; None for plain text."""


def first_usable(question: OpenQuestion[T], judge: RemoteJudge, store: Store, tries: int) -> T:
    """Returns what the first usable of at most `tries` answers says; asked once, then stored.

    The first answer is the likeliest one; another try is drawn, so that it can differ.

    Raises:
        CalmError: none was usable, or the endpoint can't be asked this.
    """
    problem = ""
    for sample in range(tries):
        params = judge.free_params | {"temperature": 0 if sample == 0 else 0.7}
        for name in ("logprobs", "top_logprobs", "per_request"):
            params.pop(name, None)
        reply = _reply(question, judge, store, params, sample)
        try:
            return question.read(reply)
        except UsageError as error:
            problem = str(error)
    raise CalmError(
        f"{judge.name} {question.failure} in {tries} answers; the last: {problem}."
        f" {question.advice}"
    )


def _reply(
    open_question: OpenQuestion[T],
    judge: RemoteJudge,
    store: Store,
    params: dict[str, Any],
    sample: int,
) -> Reply:
    """Returns the reply of one sample, from the store where it is there."""
    context = Context(
        open_question.task,
        (),
        judge.model,
        template=open_question.template,
        prompt=open_question.template_hash,
        params=params,
        kind="decompose",
    )
    prompt = open_question.prompt
    question = Question(context.key(prompt, sample), prompt, sample)
    answers = store.answers([question.key])
    if question.key in answers:
        return answers[question.key].reply

    try:
        reply = judge.ask_once(context, question, open_question.schema, store)
    except RowFault as fault:
        raise CalmError(f"{judge.name} can't be asked for subgoals: {fault}") from None
    try:
        open_question.read(reply)
        reading = Reading(question.key, Verdict.OK)
    except UsageError as error:
        reading = Reading(question.key, Verdict.INVALID, reason=str(error))
    store.store_verdicts([reading])
    return reply

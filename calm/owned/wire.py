"""What an owner and its askers say to each other: JSON in the frames of a WebSocket.

An asker's frame is `{"id": N, "do": NAME, ...}`. The owner answers each with `{"id": N, "value":
...}` or `{"id": N, "error": [KIND, MESSAGE]}`, in any order, and before that with any number of
parts, `{"id": N, "part": ...}`. Judgements go as lists by place, encoded once for all askers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

from calm import errors
from calm.asking.prompt import JudgePrompt
from calm.endpoint.envelope import Reply, TokenOdds
from calm.endpoint.faults import RowFault
from calm.records import Judgement, Subgoal, Task, Usage, Verdict
from calm.store.question import Answer, Context, Reading

PROTOCOL = "3"
"""Goes up when an owner would misunderstand an older asker, or the other way round."""
PATH = "/calm-owner"
MAX_FRAME = 64 << 20
"""Bytes of one frame, at most."""
QUESTIONS = 500
"""In one frame, at most."""
PART = 16 << 20
"""Bytes of answers in one frame, about; more go in parts."""

Json = Any


def dump(value: object) -> str:
    """Returns a value as JSON in ASCII, so that halves of characters pass."""
    return json.dumps(value, separators=(",", ":"))


# --- records -------------------------------------------------------------------------------------


def subgoals_value(subgoals: Sequence[Subgoal]) -> Json:
    """Returns subgoals as plain values, all that they hold."""
    return [[s.name, s.definition, list(s.statements), s.times] for s in subgoals]


def read_subgoals(value: Json) -> tuple[Subgoal, ...]:
    """Returns the subgoals that `subgoals_value` made plain."""
    return tuple(
        Subgoal(name, definition, tuple(statements), times)
        for name, definition, statements, times in value
    )


def context_value(context: Context) -> Json:
    """Returns a context as plain values."""
    return [
        context.task,
        subgoals_value(context.subgoals),
        context.model,
        context.mode,
        context.template,
        context.prompt,
        dict(context.params),
        context.kind,
    ]


def read_context(value: Json) -> Context:
    """Returns the context that `context_value` made plain."""
    task, subgoals, *rest = value
    return Context(task, read_subgoals(subgoals), *rest)


def prompt_value(prompt: JudgePrompt) -> Json:
    """Returns what a prompt is made of as plain values."""
    task, subgoals, mode, template, about = prompt.source
    return [
        [task.id, task.goal, list(task.actions), task.legend],
        subgoals_value(subgoals),
        mode,
        template,
        subgoals_value(about),
    ]


def read_prompt(value: Json) -> JudgePrompt:
    """Returns the prompt whose parts `prompt_value` made plain."""
    (id, goal, actions, legend), subgoals, mode, template, about = value
    task = Task(id, goal, actions=tuple(actions), legend=legend)
    return JudgePrompt(task, read_subgoals(subgoals), mode, template, read_subgoals(about))


def usage_value(usage: Usage) -> Json:
    """Returns a usage as plain values."""
    return list(astuple(usage))


def read_usage(value: Json) -> Usage:
    """Returns the usage that `usage_value` made plain."""
    return Usage(*value)


def judgement_text(key: bytes, judgement: Judgement, names: Sequence[str]) -> str:
    """Returns a question's key and the judgement on it as JSON.

    Args:
        names: of the subgoals that it is about, in order.
    """
    j, odds = judgement, judgement.confidence
    return dump(
        [
            key.hex(),
            j.verdict.value,
            [int(j.achieved[n]) for n in names] if j.achieved else None,
            None if odds is None else [odds.get(n) for n in names],
            j.raw,
            j.reason,
            usage_value(j.usage),
        ]
    )


def read_judgement(value: Json, names: Sequence[str]) -> tuple[bytes, Judgement]:
    """Returns the key and the judgement that `judgement_text` wrote."""
    key, verdict, achieved, odds, raw, reason, usage = value
    return bytes.fromhex(key), Judgement(
        Verdict(verdict),
        {n: bool(a) for n, a in zip(names, achieved, strict=True)} if achieved else {},
        None if odds is None else dict(zip(names, odds, strict=True)),
        raw,
        reason,
        Usage(*usage),
    )


def reply_value(reply: Reply) -> Json:
    """Returns a reply as plain values."""
    odds = [[o.token, o.logprob, dict(o.top)] for o in reply.odds]
    return [
        reply.text,
        reply.finish,
        reply.refusal,
        odds,
        usage_value(reply.usage),
        reply.model,
        reply.request_id,
        reply.message,
    ]


def read_reply(value: Json) -> Reply:
    """Returns the reply that `reply_value` made plain."""
    text, finish, refusal, odds, usage, *rest = value
    tokens = tuple(TokenOdds(*one) for one in odds)
    return Reply(text, finish, refusal, tokens, read_usage(usage), *rest)


def answer_value(answer: Answer) -> Json:
    """Returns a stored answer as plain values."""
    return [
        None if answer.verdict is None else answer.verdict.value,
        list(answer.achieved),
        None if answer.confidence is None else list(answer.confidence),
        answer.reason,
        answer.item,
        answer.items,
        reply_value(answer.reply),
    ]


def read_answer(value: Json) -> Answer:
    """Returns the stored answer that `answer_value` made plain."""
    verdict, achieved, odds, reason, item, items, reply = value
    return Answer(
        None if verdict is None else Verdict(verdict),
        tuple(achieved),
        None if odds is None else tuple(odds),
        reason,
        item,
        items,
        read_reply(reply),
    )


def reading_value(reading: Reading) -> Json:
    """Returns how an answer was read as plain values."""
    odds = None if reading.confidence is None else list(reading.confidence)
    return [
        reading.key.hex(), reading.verdict.value, list(reading.achieved), odds, reading.reason,
    ]  # fmt: skip


def read_reading(value: Json) -> Reading:
    """Returns the reading that `reading_value` made plain."""
    key, verdict, achieved, odds, reason = value
    confidence = None if odds is None else tuple(odds)
    return Reading(bytes.fromhex(key), Verdict(verdict), tuple(achieved), confidence, reason)


# --- errors --------------------------------------------------------------------------------------

_KINDS: Mapping[str, type[errors.CalmError]] = {
    kind.__name__: kind
    for kind in (
        errors.CalmError,
        errors.UsageError,
        errors.BudgetError,
        errors.EndpointError,
        errors.StoreError,
    )
}


def error_value(error: Exception) -> Json:
    """Returns an error as plain values; one that is not ours tells only what it is."""
    if isinstance(error, RowFault):
        return ["RowFault", error.kind, error.detail, error.verdict.value]
    for kind in type(error).__mro__:
        if kind.__name__ in _KINDS:
            return [kind.__name__, str(error)]
    return ["CalmError", f"the owner failed over this request: {type(error).__name__}"]


def read_error(value: Json, owner: str) -> Exception:
    """Returns the error that `error_value` made plain, which names the owner.

    Args:
        owner: its address.
    """
    kind, *words = value
    if kind == "RowFault":
        return RowFault(words[0], words[1], Verdict(words[2]))
    return _KINDS.get(kind, errors.CalmError)(f"{words[0]} (said by the owner at {owner})")

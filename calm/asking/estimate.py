"""Estimates what questions would cost before any is asked, as `--dry-run` shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from calm.asking.asker import Asker
from calm.asking.prompt import JudgePrompt
from calm.records import Usage
from calm.store.question import Context, Question

_RENDERED = 200  # prompts that are rendered; the rest are taken to be as long


@dataclass(frozen=True)
class Plan:
    """What an annotation would ask. Tokens are estimates."""

    transitions: int
    questions: int
    """Distinct texts times samples."""
    stored: int
    """Of these, already answered."""
    new: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    """US dollars; None where the model's price is not known."""
    paid: float | None
    """US dollars that these questions have cost so far, by what the store knows."""
    seconds: float | None
    """At the speed of this model's stored calls; None if there are none."""


def estimate(
    asker: Asker,
    context: Context,
    prompt: JudgePrompt,
    questions: Sequence[Question],
    transitions: int,
) -> Plan:
    """Returns what asking `questions` about so many transitions would take, without asking.

    A prompt has a token for three characters. Tokens of an answer follow the model's stored calls
    where there are any, else they are forty.
    """
    stored = asker.usable(context, questions)
    new = [q for q in questions if q.key not in stored]
    size = asker.per_request
    groups = [new[i : i + size] for i in range(0, len(new), size)]
    rendered = groups[:_RENDERED]
    characters = sum(len(prompt.render([q.text for q in group])) for group in rendered)
    characters = characters * len(groups) // max(1, len(rendered))
    calls, items, completion, total = asker.store.answered_calls(context.model)
    prompt_tokens, completion_tokens, seconds = characters // 3, 40 * len(new), None
    if calls:
        completion_tokens = int(completion / items * len(new))
        at_once = min(asker.endpoint.pace.cap, max(1, len(groups)))
        seconds = total / calls * len(groups) / at_once
    price = asker.endpoint.budget.price
    usage = Usage(len(groups), prompt_tokens, 0, completion_tokens)
    return Plan(
        transitions,
        len(questions),
        len(stored),
        len(new),
        len(groups),
        prompt_tokens,
        completion_tokens,
        None if price is None else price.cost(usage),
        asker.store.paid(context).cost,
        seconds,
    )


def sum_of(plans: Iterable[Plan]) -> Plan:
    """Returns what several plans about the same transitions take in all."""
    plans = list(plans)
    if len(plans) == 1:
        return plans[0]

    def total(values: Iterable[float | None]) -> float | None:
        known = [v for v in values if v is not None]
        return sum(known) if len(known) == len(plans) else None

    return Plan(
        plans[0].transitions,
        sum(p.questions for p in plans),
        sum(p.stored for p in plans),
        sum(p.new for p in plans),
        sum(p.requests for p in plans),
        sum(p.prompt_tokens for p in plans),
        sum(p.completion_tokens for p in plans),
        total(p.cost for p in plans),
        total(p.paid for p in plans),
        total(p.seconds for p in plans),
    )

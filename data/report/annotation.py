"""What an annotation did, or would cost, in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from calm.records import Usage, Verdict

if TYPE_CHECKING:
    from calm.annotation.many import Summary
    from calm.asking.estimate import Plan


def describe_plans(plans: Mapping[str, Plan]) -> list[str]:
    """Returns a line for each task, and one for all of them where there are several."""
    values = {id: vars(plan) for id, plan in plans.items()}
    lines = [f"{id}: {_describe_plan(value)}" for id, value in values.items()]
    if len(values) > 1:
        lines.append(f"all: {_describe_plan(_total(list(values.values())))}")
    return lines


def describe_summary(summary: Summary) -> str:
    """Returns one line: whom and about which task, how many answers of which class, their cost."""
    s = summary
    parts = [
        f"{s.transitions} transitions, {s.questions} questions, {s.hits} from the store,"
        f" {s.asked} asked now in {s.seconds:.1f} s",
        ", ".join(f"{n} {v}" for v, n in _classes(s).most_common()),
    ]
    if s.cut_prompts:
        parts.append(f"prompts that the server cut: {s.cut_prompts}")
    if s.failures:
        failed = ", ".join(f"{n} {kind}" for kind, n in Counter(s.failures).most_common())
        parts.append(f"attempts that failed: {failed}")
    if s.paid.requests:  # a judge that asks an endpoint
        parts.append(f"now {_spending(s.usage)}")
        parts.append(f"in all, with earlier runs, {_spending(s.paid)}")
    return f"{s.judge} on {s.task}: {'; '.join(parts)}"


def _describe_plan(plan: Mapping[str, Any]) -> str:
    counts = (
        f"{plan['transitions']} transitions, {plan['questions']} questions,"
        f" {plan['stored']} answered"
    )
    paid = f"paid so far {_dollars(plan['paid'])}"
    if not plan["new"]:
        return f"{counts}: nothing to ask; {paid}"
    time = "time not known before the first answers"
    if plan["seconds"] is not None:
        time = f"about {_clock(plan['seconds'])} at the speed of earlier answers"
    tokens = plan["prompt_tokens"] + plan["completion_tokens"]
    return (
        f"{counts}, {plan['new']} to ask in {plan['requests']} requests; about {tokens:,} tokens,"
        f" cost {_dollars(plan['cost'])}, {time}; {paid}"
    )


def _total(plans: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the sum of plans; what is not known of one is not known of all."""
    columns = {name: [p[name] for p in plans] for name in plans[0]}
    return {name: None if None in column else sum(column) for name, column in columns.items()}


def _dollars(cost: float | None) -> str:
    return "price unknown (see --prices)" if cost is None else f"US$ {cost:.4f}"


def _clock(seconds: float) -> str:
    hours, rest = divmod(math.ceil(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def _classes(summary: Summary) -> Counter[str]:
    """Returns the number of transitions by verdict class; those not asked about stand apart."""
    classes = Counter(summary.verdicts) - Counter({Verdict.ERROR.value: summary.unasked})
    return classes + Counter({"not asked": summary.unasked})


def _spending(usage: Usage) -> str:
    tokens = usage.prompt_tokens + usage.completion_tokens
    cost = f", {_dollars(usage.cost)}" if tokens else ""
    return f"{usage.requests} requests, {tokens:,} tokens{cost}"

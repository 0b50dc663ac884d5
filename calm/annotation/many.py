"""Annotates many transitions with a judge, stops cleanly, and says what it did and would cost."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from calm.asking.asker import Tally
from calm.errors import BudgetError, CalmError, EndpointError
from calm.judges.openai import OpenAIJudge
from calm.judges.protocol import Judge
from calm.records import Judgement, Subgoal, Task, Transition, Usage, Verdict


@dataclass
class Summary:
    """What an annotation did."""

    judge: str
    task: str
    transitions: int
    distinct: int = 0
    """Different texts among the transitions."""
    questions: int = 0
    """Distinct texts times samples."""
    hits: int = 0
    """Questions the store already answered."""
    asked: int = 0
    """Questions answered by the endpoint in this run."""
    verdicts: dict[str, int] = field(default_factory=dict)
    """Transitions by verdict class."""
    failures: dict[str, int] = field(default_factory=dict)
    """Failed attempts by kind, of every model call."""
    usage: Usage = field(default_factory=Usage)
    """Every attempt of this run."""
    paid: Usage = field(default_factory=Usage)
    """Every attempt at these questions that the store knows of, earlier runs included."""
    card: dict[str, Any] = field(default_factory=dict)
    """What is known of the endpoint's abilities (see `calm.asking.probe`)."""
    seconds: float = 0.0
    stopped: CalmError | None = None
    """Why it stopped early, if it did; rows without an answer are then `error`."""
    unasked: int = 0
    """Transitions that are `error` for that reason alone."""

    @property
    def unreadable(self) -> int:
        """Transitions without a readable answer."""
        readable = (Verdict.OK, Verdict.REPAIRED)
        return self.transitions - sum(self.verdicts.get(v.value, 0) for v in readable)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        value = asdict(self)
        value["stopped"] = None if self.stopped is None else str(self.stopped)
        value["unreadable"] = self.unreadable
        return value


class Annotated(NamedTuple):
    """The judgements, in the order of the transitions, and what was done."""

    judgements: list[Judgement]
    summary: Summary


Progress = Callable[[Tally, Usage], None]


def annotate(
    judge: Judge,
    task: Task,
    subgoals: Sequence[Subgoal],
    transitions: Sequence[Transition],
    *,
    progress: Progress | None = None,
) -> Annotated:
    """One judgement for each transition of a task, and a summary.

    A refused key, an empty account or a limit on spending stops the asking, not the function: what
    is answered is returned, the rest is `error`, and `summary.stopped` holds the error for the
    caller to raise once it has shown the rest. Limits are the judge's (`limits=` of `make_judge`).

    Args:
        progress: called with the tally and the usage whenever they have changed, at most ten
            times a second; only a judge that asks an endpoint has any.
    """
    began = time.monotonic()
    summary = Summary(judge.name, task.id, len(transitions))
    distinct = len({t.texts[judge.mode] for t in transitions})
    summary.distinct = summary.questions = distinct
    if isinstance(judge, OpenAIJudge):
        judgements = _through_endpoint(judge, task, subgoals, transitions, progress, summary)
    else:
        judgements = judge.judge(task, subgoals, transitions)
        summary.asked = distinct
    summary.verdicts = {v.value: n for v, n in Counter(j.verdict for j in judgements).items()}
    summary.seconds = time.monotonic() - began
    return Annotated(judgements, summary)


def progress_line(tally: Tally, usage: Usage, seconds: float) -> str:
    """One line on work under way: done, rate, hits, classes, cost so far and time left.

    >>> verdicts = Counter({Verdict.OK: 98, Verdict.INVALID: 2})
    >>> progress_line(Tally(200, 50, 50, verdicts), Usage(), 25)
    '100/200 · 2.0/s · 50 from the store · 98 ok, 2 invalid · $0.0000 · 0:50 left'
    """
    done = tally.hits + tally.answered
    rate = tally.answered / seconds if seconds > 0 else 0.0
    classes = ", ".join(f"{n} {v.value}" for v, n in tally.verdicts.most_common() if n)
    parts = [f"{done}/{tally.questions}", f"{rate:.1f}/s", f"{tally.hits} from the store", classes]
    if tally.failures:
        parts.append(f"{sum(tally.failures.values())} attempts failed")
    parts.append(tally.waiting)
    parts.append("cost unknown" if usage.cost is None else f"${usage.cost:.4f}")
    if rate > 0 and done < tally.questions:
        left = round((tally.questions - done) / rate)
        hours, minutes = divmod(left // 60, 60)
        clock = f"{hours}:{minutes:02}" if hours else f"{minutes}"
        parts.append(f"{clock}:{left % 60:02} left")
    return " · ".join(part for part in parts if part)


def _through_endpoint(
    judge: OpenAIJudge,
    task: Task,
    subgoals: Sequence[Subgoal],
    transitions: Sequence[Transition],
    progress: Progress | None,
    summary: Summary,
) -> list[Judgement]:
    before, tally = judge.usage, Tally()
    judge.asker.tally = tally
    if progress is not None:
        judge.asker.on_progress = _at_most(10, lambda t: progress(t, judge.usage))
    try:
        judgements = judge.judge(task, subgoals, transitions)
    except (EndpointError, BudgetError) as error:
        summary.stopped = error
        missing = Judgement(Verdict.ERROR, reason=f"not asked: {error}")
        known = judge.recall(task, subgoals, transitions)
        judgements = [missing if j is None else j for j in known]
        summary.unasked = sum(j is None for j in known)
    finally:
        judge.asker.on_progress = lambda tally: None
        summary.usage = _less(judge.usage, before)
        summary.card = dict(judge.endpoint.card)
        summary.paid = judge.store.paid(judge.context(task, subgoals))
        summary.hits, summary.asked = tally.hits, tally.answered
        summary.questions = tally.questions
        summary.failures = dict(tally.failures)
    if progress is not None:
        progress(tally, judge.usage)
    return judgements


def _at_most(times: float, call: Callable[[Tally], None]) -> Callable[[Tally], None]:
    """`call`, left out if it was called less than 1 / `times` seconds ago."""
    last = -math.inf

    def limited(tally: Tally) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 1 / times:
            last = now
            call(tally)

    return limited


def _less(a: Usage, b: Usage) -> Usage:
    cost = None if a.cost is None or b.cost is None else a.cost - b.cost
    return Usage(
        a.requests - b.requests,
        a.prompt_tokens - b.prompt_tokens,
        a.cached_tokens - b.cached_tokens,
        a.completion_tokens - b.completion_tokens,
        a.seconds - b.seconds,
        cost,
    )


@dataclass(frozen=True)
class Plan:
    """What an annotation would ask, as `--dry-run` tells it. Tokens are estimates."""

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


def plan(
    judge: OpenAIJudge, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
) -> Plan:
    """What `annotate` would ask and cost, without asking.

    A prompt has a token for three characters. Tokens of an answer follow the model's stored calls
    where there are any, else they are forty.
    """
    context = judge.context(task, subgoals)
    texts = [t.texts[judge.mode] for t in transitions]
    questions = judge.questions(context, texts)
    stored = judge.asker.stored(context, questions)
    new = [q for q in questions if q.key not in stored]
    size = judge.options.per_request
    groups = [new[i : i + size] for i in range(0, len(new), size)]
    prompt = judge._prompt(task, subgoals)
    characters = sum(len(prompt.render([q.text for q in g])) for g in groups[:200])
    characters = characters * len(groups) // max(1, len(groups[:200]))
    seen = judge.store.query(
        "SELECT count(*), sum(prompt_tokens), sum(completion_tokens), sum(seconds), sum(items)"
        " FROM calls JOIN contexts ON contexts.id = calls.context"
        " WHERE contexts.model = ? AND outcome = 'ok' AND prompt_tokens > 0",
        [judge.model],
    )[0]
    prompt_tokens, completion_tokens, seconds = characters // 3, 40 * len(new), None
    if seen[0]:
        completion_tokens = int(seen[2] / seen[4] * len(new))
        at_once = min(judge.options.concurrency, max(1, len(groups)))
        seconds = seen[3] / seen[0] * len(groups) / at_once
    usage = Usage(len(groups), prompt_tokens, 0, completion_tokens)
    return Plan(
        len(transitions),
        len(questions),
        len(stored),
        len(new),
        len(groups),
        prompt_tokens,
        completion_tokens,
        None if judge.price is None else judge.price.cost(usage),
        judge.store.paid(context).cost,
        seconds,
    )

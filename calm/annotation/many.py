"""Annotates many transitions with a judge, stops cleanly, and says what it did and would cost."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from calm.asking.tally import Tally
from calm.errors import BudgetError, CalmError, EndpointError
from calm.judges.protocol import Judge, RemoteJudge
from calm.records import Judgement, Subgoal, Task, Transition, Usage, Verdict


@dataclass
class Summary:
    """Says what an annotation did: how much was asked, read and paid."""

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
    cut_prompts: int = 0
    """Prompts of this run of which the server read only a part, see `calm.asking.prompt_size`."""
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
        """Returns the number of transitions without a readable answer."""
        readable = (Verdict.OK, Verdict.REPAIRED)
        return self.transitions - sum(self.verdicts.get(v.value, 0) for v in readable)

    def as_json(self) -> dict[str, Any]:
        """Returns plain values, for `--json`."""
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
    """Returns one judgement for each transition of a task, and a summary.

    A refused key, an empty account or a limit on spending stops the asking, not the function: what
    is answered is returned, the rest is `error`, and `summary.stopped` holds the error for the
    caller to raise once it has shown the rest. Limits are the judge's (`limits=` of `make_judge`).

    Args:
        progress: called with the tally and the usage whenever they have changed, at most ten
            times a second; only a judge that asks an endpoint has any.
    """
    judgements: list[Judgement] = []
    summary = annotate_blocks(
        judge,
        task,
        subgoals,
        [transitions],
        lambda block, answers: judgements.extend(answers),
        progress=progress,
    )
    return Annotated(judgements, summary)


def annotate_blocks(
    judge: Judge,
    task: Task,
    subgoals: Sequence[Subgoal],
    blocks: Iterable[Sequence[Transition]],
    take: Callable[[Sequence[Transition], Sequence[Judgement]], None],
    *,
    progress: Progress | None = None,
) -> Summary:
    """Has transitions judged block by block, of which one is in memory; returns the summary.

    What is asked is stored as it is answered, so that work that was stopped resumes by row. Where
    asking stops, what the store answers is still taken, as `annotate` does. A text that comes again
    in another block is looked up again there, which counts as a question and a hit.

    Args:
        take: called with each block and its judgements, in order.
        progress: as for `annotate`.
    """
    annotation = BlockAnnotation(judge, task, subgoals, progress)
    for block in blocks:
        take(block, annotation.judge(block))
    return annotation.summary()


class BlockAnnotation:
    """Has the transitions of one task judged, block after block, and counts what was done.

    Args:
        judge, task, subgoals: whom to ask what.
        progress: as for `annotate`.
    """

    def __init__(
        self,
        judge: Judge,
        task: Task,
        subgoals: Sequence[Subgoal],
        progress: Progress | None = None,
    ) -> None:
        self._began = time.monotonic()
        self._judge, self._task, self._subgoals = judge, task, subgoals
        self._progress = progress
        self._summary = Summary(judge.name, task.id, 0)
        self._texts = _DifferentTexts()
        self._verdicts: Counter[str] = Counter()
        self._tally = Tally()
        self._remote = judge if isinstance(judge, RemoteJudge) else None
        self._before = self._remote.usage if self._remote else Usage()
        if (remote := self._remote) is not None and progress is not None:
            self._tally.on_change = _at_most(10, lambda t: progress(t, remote.usage))

    def judge(self, block: Sequence[Transition]) -> list[Judgement]:
        """Returns the judgements on a block, in its order.

        Where asking has stopped they are those that the store has, the others `error`; the summary
        tells why.
        """
        self._summary.transitions += len(block)
        self._texts.add({t.texts[self._judge.mode] for t in block})
        if self._remote is None:
            judgements = list(self._judge.judge(self._task, self._subgoals, block))
        else:
            judgements = _ask_block(
                self._remote, self._task, self._subgoals, block, self._tally, self._summary
            )
        self._verdicts.update(j.verdict.value for j in judgements)
        return judgements

    @property
    def stopped(self) -> CalmError | None:
        """Returns why asking has stopped, if it has."""
        return self._summary.stopped

    def show(self) -> None:
        """Tells the progress how far it is."""
        if self._remote is not None and self._progress is not None:
            self._progress(self._tally, self._remote.usage)

    def summary(self) -> Summary:
        """Returns what was done, and tells the progress once more."""
        summary, tally = self._summary, self._tally
        summary.distinct = summary.questions = summary.asked = len(self._texts)
        if (remote := self._remote) is not None:
            summary.usage = _difference(remote.usage, self._before)
            summary.card = dict(remote.endpoint.card)
            summary.paid = remote.paid(self._task, self._subgoals)
            summary.questions, summary.hits, summary.asked = (
                tally.questions, tally.hits, tally.answered,
            )  # fmt: skip
            summary.failures = dict(tally.failures)
            summary.cut_prompts = tally.cut_prompts
            self.show()
        summary.verdicts = dict(self._verdicts)
        summary.seconds = time.monotonic() - self._began
        return summary


def progress_line(tally: Tally, usage: Usage, seconds: float) -> str:
    """Returns one line on work under way: done, rate, hits, classes, cost so far and time left.

    >>> verdicts = Counter({Verdict.OK: 98, Verdict.INVALID: 2})
    >>> progress_line(Tally(200, 50, 50, verdicts), Usage(), 25)
    '100/200 · 2.0/s · 50 from the store · 98 ok, 2 invalid · $0.0000 · 0:50 left'
    """
    done = tally.hits + tally.answered
    rate = tally.answered / seconds if seconds > 0 else 0.0
    classes = ", ".join(f"{n} {v.value}" for v, n in tally.verdicts.most_common() if n)
    parts = [
        f"{done}/{tally.questions}",
        rate_in_words(rate),
        f"{tally.hits} from the store",
        classes,
    ]
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


def rate_in_words(per_second: float) -> str:
    """Returns a rate with digits that tell a slow model's from none.

    >>> rate_in_words(12.34), rate_in_words(0.034)
    ('12.3/s', '0.03/s')
    """
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{per_second:.2f}/s"


def _ask_block(
    judge: RemoteJudge,
    task: Task,
    subgoals: Sequence[Subgoal],
    transitions: Sequence[Transition],
    tally: Tally,
    summary: Summary,
) -> list[Judgement]:
    """Returns the judgements on a block; those that the store has, once asking has stopped."""
    if summary.stopped is None:
        try:
            return judge.judge(task, subgoals, transitions, tally=tally)
        except (EndpointError, BudgetError) as error:
            summary.stopped = error
    missing = Judgement(Verdict.ERROR, reason=f"not asked: {summary.stopped}")
    known = judge.recall(task, subgoals, transitions)
    summary.unasked += sum(j is None for j in known)
    return [missing if j is None else j for j in known]


class _DifferentTexts:
    """Counts different texts in eight bytes each, give or take a collision of their hashes."""

    def __init__(self) -> None:
        self._hashes: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._new: list[int] = []

    def add(self, texts: Iterable[str]) -> None:
        """Counts those of some texts that are new."""
        self._new.extend(map(hash, texts))
        if len(self._new) > 100_000:
            self._sort_in()

    def _sort_in(self) -> None:
        hashes = np.concatenate([self._hashes, np.array(self._new, dtype=np.int64)])
        hashes.sort()  # in place: of a million there are three copies else
        is_first = np.ones(len(hashes), bool)
        np.not_equal(hashes[1:], hashes[:-1], out=is_first[1:])
        self._hashes = hashes[is_first]
        self._new = []

    def __len__(self) -> int:
        self._sort_in()
        return len(self._hashes)


def _at_most(times: float, call: Callable[[Tally], None]) -> Callable[[Tally], None]:
    """Returns `call` that is left out where it was called less than 1 / `times` seconds ago."""
    last = -math.inf

    def limited(tally: Tally) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 1 / times:
            last = now
            call(tally)

    return limited


def _difference(a: Usage, b: Usage) -> Usage:
    cost = None if a.cost is None or b.cost is None else a.cost - b.cost
    return Usage(
        a.requests - b.requests,
        a.prompt_tokens - b.prompt_tokens,
        a.cached_tokens - b.cached_tokens,
        a.completion_tokens - b.completion_tokens,
        a.seconds - b.seconds,
        cost,
    )

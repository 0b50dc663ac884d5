"""One judge's answers about every transition of a set, kept in the store and returned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calm.annotation.many import Progress, Summary, annotate_blocks
from calm.asking.estimate import Plan
from calm.asking.tally import Tally
from calm.errors import CalmError, UsageError, unknown
from calm.judges import asks_model, make_judge
from calm.judges.protocol import Judge, RemoteJudge
from calm.owned.client import open_store
from calm.records import MODES, Judgement, Mode, Task, Transition, Usage
from calm.subgoals import find_subgoals
from data.judge_options import options_for, refuse_unused
from data.rows import Rows, Shard, open_rows
from data.schema import JudgedTransition


@dataclass(frozen=True, slots=True)
class AnnotationPlan:
    """What `calm annotate` is asked to do, in words."""

    judge: str
    """A spec of `calm.judges.make_judge`."""
    data: str
    """Name of a set, its folder, or a parquet file."""
    part: str = ""
    """Of the set; the first if empty."""
    mode: str = "events"
    """The description that the judge reads."""
    subgoals: str = "given"
    """`given`, a YAML file, or the hash of a list in the store."""
    limit: int = 0
    """Rows that are drawn, see `data.sampling`; 0 for all."""
    seed: int = 0
    """Of the random judge and of the rows that `limit` draws."""
    store: Path = Path("calm.sqlite")
    base_url: str | None = None
    """The endpoint of a model; None for `OPENAI_BASE_URL` or OpenAI's own."""
    shard: Shard | None = None
    """The part of the rows to ask about; None for all."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of a model, see `calm.judges.openai.OpenAIOptions`."""


@dataclass(frozen=True, slots=True)
class AnnotatedSet:
    """The answers of one judge about a set, a row for each transition that it came to."""

    answers: list[JudgedTransition]
    summaries: list[Summary]
    """One for each task; the last tells why it stopped, if it did before the end."""

    @property
    def stopped(self) -> CalmError | None:
        """Returns why not everything was asked; None if it was."""
        return next((s.stopped for s in self.summaries if s.stopped), None)


def annotate_set(
    plan: AnnotationPlan, progress: Callable[[str], Progress] | None = None
) -> AnnotatedSet:
    """Asks a judge about every transition of a set, task after task, and returns all answers.

    A limit on spending or an endpoint that is gone ends it early: see `AnnotatedSet.stopped`.

    Args:
        plan: what to ask whom.
        progress: opens a line for a task, to be told how far it is.

    Raises:
        UsageError: something named is not there, or an option that the judge does not take.
    """
    answers: list[JudgedTransition] = []
    summaries = annotate_rows(plan, answers.extend, progress)
    return AnnotatedSet(answers, summaries)


def annotate_rows(
    plan: AnnotationPlan,
    take: Callable[[Sequence[JudgedTransition]], None],
    progress: Callable[[str], Progress] | None = None,
) -> list[Summary]:
    """Does what `annotate_set` does, and hands the answers on as they come, in the rows' order.

    Of a set that is not drawn from, a block of rows is in memory, whatever the set's size.

    Args:
        take: called with the answers about one block of rows after the other.

    Returns:
        A summary for each task; the last tells why it stopped, if it did before the end.
    """
    summaries: list[Summary] = []
    with _opened(plan) as (judge, tasks, rows):
        if isinstance(judge, RemoteJudge):  # a limit is on all of it, so all that was paid counts
            for task in tasks:
                judge.count_paid(task, task.subgoals)

        def take_block(block: Sequence[Transition], judgements: Sequence[Judgement]) -> None:
            pairs = zip(block, judgements, strict=True)
            take([JudgedTransition(t.id, judge.name, judge.mode, j) for t, j in pairs])

        for task in tasks:
            line = progress(task.id) if progress and asks_model(plan.judge) else None
            if line is not None:  # said before the first answer comes, which may take minutes
                line(Tally(rows.counts[task.id]), Usage())
            blocks = rows.blocks(task.id)
            summary = annotate_blocks(judge, task, task.subgoals, blocks, take_block, progress=line)
            summaries.append(summary)
            if summary.stopped:
                break
    return summaries


def plan_cost(plan: AnnotationPlan) -> dict[str, Plan]:
    """Returns what `annotate_set` would ask and cost, by task; asks nothing.

    Raises:
        UsageError: as `annotate_set`, and for a judge that costs nothing.
    """
    with _opened(plan) as (judge, tasks, rows):
        if not isinstance(judge, RemoteJudge):
            raise UsageError("--dry-run tells what a model would cost; this judge costs nothing")
        plans = {}
        for task in tasks:
            different: dict[str, Transition] = {}
            for block in rows.blocks(task.id):
                different.update((t.texts[judge.mode], t) for t in block)
            planned = judge.plan(task, task.subgoals, list(different.values()))
            plans[task.id] = replace(planned, transitions=rows.counts[task.id])
        return plans


@contextmanager
def _opened(plan: AnnotationPlan) -> Iterator[tuple[Judge, list[Task], Rows]]:
    """Yields the judge, the tasks with the subgoals to ask about, and the rows to ask about."""
    rows = open_rows(plan.data, plan.part, limit=plan.limit, seed=plan.seed, shard=plan.shard)
    if plan.mode not in MODES:
        raise unknown("description", plan.mode, MODES)
    mode: Mode = plan.mode
    refuse_unused([plan.judge], plan.options)
    with open_store(plan.store) as store:
        tasks = [
            replace(task, subgoals=find_subgoals(plan.subgoals, task, store))
            for id, task in rows.tasks.items()
            if rows.counts[id]
        ]
        judge = make_judge(
            plan.judge,
            mode=mode,
            store=store,
            base_url=plan.base_url,
            seed=plan.seed,
            **options_for(plan.judge, plan.options),
        )
        yield judge, tasks, rows

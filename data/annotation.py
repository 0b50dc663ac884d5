"""One judge's answers about every transition of a set, kept in the store and returned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calm.annotation.many import Progress, Summary, annotate
from calm.asking.estimate import Plan
from calm.asking.tally import Tally
from calm.errors import CalmError, UsageError, unknown
from calm.judges import asks_model, make_judge
from calm.judges.protocol import Judge, RemoteJudge
from calm.owned.client import open_store
from calm.records import MODES, Mode, Task, Transition, Usage
from calm.subgoals import find_subgoals
from data.dataset import load
from data.judge_options import options_for, refuse_unused
from data.sampling import draw
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
    """Asks a judge about every transition of a set, task after task.

    A limit on spending or an endpoint that is gone ends it early: see `AnnotatedSet.stopped`.

    Args:
        plan: what to ask whom.
        progress: opens a line for a task, to be told how far it is.

    Raises:
        UsageError: something named is not there, or an option that the judge does not take.
    """
    with _opened(plan) as (judge, tasks, transitions):
        if isinstance(judge, RemoteJudge):  # a limit is on all of it, so all that was paid counts
            for task in tasks:
                judge.count_paid(task, task.subgoals)
        annotated = AnnotatedSet([], [])
        for task in tasks:
            line = progress(task.id) if progress and asks_model(plan.judge) else None
            mine = transitions[task.id]
            if line is not None:  # said before the first answer comes, which may take minutes
                line(Tally(len({t.texts[judge.mode] for t in mine})), Usage())
            result = annotate(judge, task, task.subgoals, mine, progress=line)
            annotated.summaries.append(result.summary)
            annotated.answers.extend(
                JudgedTransition(t.id, judge.name, judge.mode, j)
                for t, j in zip(mine, result.judgements, strict=True)
            )
            if result.summary.stopped:
                break
    return annotated


def plan_cost(plan: AnnotationPlan) -> dict[str, Plan]:
    """Returns what `annotate_set` would ask and cost, by task; asks nothing.

    Raises:
        UsageError: as `annotate_set`, and for a judge that costs nothing.
    """
    with _opened(plan) as (judge, tasks, transitions):
        if not isinstance(judge, RemoteJudge):
            raise UsageError("--dry-run tells what a model would cost; this judge costs nothing")
        return {task.id: judge.plan(task, task.subgoals, transitions[task.id]) for task in tasks}


@contextmanager
def _opened(
    plan: AnnotationPlan,
) -> Iterator[tuple[Judge, list[Task], dict[str, list[Transition]]]]:
    """Yields the judge, the tasks with the subgoals to ask about, and each task's transitions."""
    part = load(plan.data).part(plan.part)
    if plan.mode not in MODES:
        raise unknown("description", plan.mode, MODES)
    mode: Mode = plan.mode
    refuse_unused([plan.judge], plan.options)
    transitions: dict[str, list[Transition]] = {id: [] for id in part.tasks}
    for row in draw(part, plan.limit, plan.seed):
        transitions[row.transition.task].append(row.transition)
    with open_store(plan.store) as store:
        tasks = [
            replace(task, subgoals=find_subgoals(plan.subgoals, task, store))
            for id, task in part.tasks.items()
            if transitions[id]
        ]
        judge = make_judge(
            plan.judge,
            mode=mode,
            store=store,
            base_url=plan.base_url,
            seed=plan.seed,
            **options_for(plan.judge, plan.options),
        )
        yield judge, tasks, transitions

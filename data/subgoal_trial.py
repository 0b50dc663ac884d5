"""Tries a list of subgoals on the transitions of a set; asks a model for better ones, or for the
lines that tell of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calm.annotation.many import annotate
from calm.decompose import decompose_again
from calm.errors import UsageError, unknown
from calm.judges import make_judge
from calm.judges.protocol import Judge, RemoteJudge
from calm.owned.client import open_store
from calm.records import (
    MODES,
    LabelledTransition,
    Mode,
    Subgoal,
    Task,
    Transition,
    subgoals_hash,
)
from calm.statements import Stated, landmark_lines, state_subgoals
from calm.store.store import Store
from calm.subgoal_trial import SubgoalTrial, try_subgoals
from calm.subgoals import read_subgoals, write_subgoals
from data.dataset import NATURAL, load
from data.evaluation.discovered import task_named, task_of_file
from data.judge_options import options_for, refuse_unused

REACHED = "the hero reached the staircase down, the goal"
SHOWN = 6
"""Steps that the model sees when it is asked again."""


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """What `calm try-subgoals` is asked to do, in words."""

    subgoals: Path
    data: str
    part: str = ""
    """Of the set; the natural one if empty, else the first."""
    task: str = ""
    """Of the set; the one that the file names if empty."""
    judge: str = "rules"
    mode: str = "events"
    limit: int = 0
    """Distinct texts; 0 for all."""
    again: bool = False
    """Whether a model is asked for better subgoals where something is wrong."""
    statements: bool = False
    """Whether a model is asked which lines of the descriptions tell of the subgoals."""
    out: Path | None = None
    """File for the better list, or for the one with statements."""
    store: Path = Path("calm.sqlite")
    base_url: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The trial of the list, and of the better one where the model was asked for one."""

    trials: tuple[SubgoalTrial, ...]
    stated: tuple[Stated, ...] = ()
    """What the model says of the last list's subgoals, where it was asked."""

    def as_json(self) -> dict[str, Any]:
        """Returns plain values, for `--json`."""
        return {
            "trials": [
                {"hash": subgoals_hash(trial.subgoals)} | trial.as_json() for trial in self.trials
            ],
            "statements": [
                {
                    "subgoal": stated.subgoal.name,
                    "clause": stated.clause,
                    "statements": list(stated.subgoal.statements),
                    "odds": stated.odds,
                }
                for stated in self.stated
            ],
        }


def run_trial(plan: TrialPlan, say: Callable[[str], None] = lambda line: None) -> TrialResult:
    """Returns what became of a list on played transitions, and of a better one if asked for.

    Raises:
        UsageError: something named is not there; lists what is.
        EndpointError, BudgetError: a model could not be asked to the end.
    """
    refuse_unused([plan.judge], plan.options)
    if plan.mode not in MODES:
        raise unknown("description", plan.mode, MODES)
    mode: Mode = plan.mode
    dataset = load(plan.data)
    part = dataset.part(plan.part or (NATURAL if NATURAL in dataset.parts else ""))
    subgoals = read_subgoals(plan.subgoals)
    named = task_named(plan.task, part.tasks) if plan.task else ""
    id = named or task_of_file(plan.subgoals, part.tasks)
    if id is None:
        raise UsageError(f"{plan.subgoals} names no task of {dataset.name}: add --task")
    task = part.tasks[id]
    rows = [row for row in part.rows if row.transition.task == id]
    texts = list(dict.fromkeys(row.transition.texts[mode] for row in rows))[: plan.limit or None]
    with ExitStack() as stack:
        store = stack.enter_context(open_store(plan.store))
        judge = make_judge(
            plan.judge,
            mode=mode,
            store=store,
            base_url=plan.base_url,
            **options_for(plan.judge, plan.options),
        )
        if not isinstance(judge, RemoteJudge):
            if plan.again or plan.statements:
                raise UsageError(f"--again and --statements ask a model; {plan.judge} is none")
            return TrialResult((_try(judge, task, subgoals, rows, texts),))
        stack.callback(judge.close)
        stated: list[Stated] = []
        if plan.statements:
            say(f"{plan.judge}: which lines tell of {len(subgoals)} subgoals of {id}")
            stated = _state(judge, task, subgoals, rows, store)
            subgoals = tuple(one.subgoal for one in stated)
        say(f"{plan.judge}: {len(subgoals)} subgoals on {len(texts)} distinct steps of {id}")
        trials = [_try(judge, task, subgoals, rows, texts)]
        better = subgoals if plan.statements else None
        if plan.again and trials[0].warnings:
            say(f"{plan.judge}: better subgoals of {id}")
            shown = texts[:: max(1, len(texts) // SHOWN)][:SHOWN]
            better = decompose_again(task, judge, trials[0], shown, store)
            if plan.statements:
                stated = _state(judge, task, better, rows, store)
                better = tuple(one.subgoal for one in stated)
            trials.append(_try(judge, task, better, rows, texts))
        if plan.out is not None and better is not None:
            write_subgoals(plan.out, id, better)
    return TrialResult(tuple(trials), tuple(stated))


def _state(
    judge: RemoteJudge,
    task: Task,
    subgoals: Sequence[Subgoal],
    rows: Sequence[LabelledTransition],
    store: Store,
) -> list[Stated]:
    """Returns subgoals with the lines that tell of them, of those that play on the way to the goal
    goes by; the store keeps the list with its statements."""
    transitions = [row.transition for row in rows]
    most = max(subgoal.times for subgoal in subgoals)
    lines = landmark_lines(transitions, _reached(transitions), most)
    stated = state_subgoals(task, judge, subgoals, lines, store)
    store.keep_subgoals(task.id, [one.subgoal for one in stated], judge.name)
    return stated


def _reached(transitions: Sequence[Transition]) -> set[str]:
    """Returns the episodes that reached the goal."""
    return {t.episode for t in transitions if REACHED in t.texts.get("events", "")}


def _try(
    judge: Judge,
    task: Task,
    subgoals: Sequence[Subgoal],
    rows: Sequence[LabelledTransition],
    texts: Collection[str],
) -> SubgoalTrial:
    """Returns what became of subgoals on the rows with these texts.

    Only an episode of which every step is among them tells what it did without.
    """
    known = set(texts)
    left_out = {r.transition.episode for r in rows if r.transition.texts[judge.mode] not in known}
    transitions = [r.transition for r in rows if r.transition.texts[judge.mode] in known]
    judgements, summary = annotate(judge, replace(task, subgoals=()), subgoals, transitions)
    if summary.stopped is not None:
        raise summary.stopped
    return try_subgoals(subgoals, transitions, judgements, _reached(transitions) - left_out)

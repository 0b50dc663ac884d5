"""What an evaluation is asked for, in words, and what the words mean.

Names of parts, tasks, subgoals and descriptions become the things that they name; what is done
with them is in `data.evaluation.run`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calm.errors import UsageError, unknown
from calm.judges import reads_store
from calm.records import MODES, Mode, Subgoal, Task
from data.dataset import Dataset
from data.evaluation.discovered import task_named
from data.evaluation.halves import REPORT, TUNE
from data.evaluation.prompt_variants import FORM
from data.parquet import Transitions
from data.schema import ENGINE
from data.stored import items_where, outlines


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What `calm evaluate` is asked to do, in words."""

    data: str
    """Name of a set, its folder, or a parquet file."""
    judges: tuple[str, ...]
    """Specs of `calm.judges.make_judge`."""
    modes: tuple[str, ...] = ("events",)
    """Descriptions; `all` for all three."""
    parts: tuple[str, ...] = ()
    """Of the set; all if empty."""
    tasks: tuple[str, ...] = ()
    """Of the set; all if empty."""
    subgoals: str = "given"
    """`given`, `all`, or names separated by commas."""
    discovered: tuple[str, ...] = ()
    """Files or hashes of subgoals to ask about instead, see `data.evaluation.discovered`."""
    overrule: Path | None = None
    """File that overrules how they are matched."""
    prompt: tuple[str, ...] = ()
    """`option=level`, see `data.evaluation.prompt_variants`."""
    sweep: tuple[str, ...] = ()
    """Prompt options to cross."""
    half: str = ""
    """`tune` or `report`: only the texts of that half, see `data.evaluation.halves`."""
    learn: Path | None = None
    """File for the thresholds that are learned on the half to tune on."""
    fold: bool = False
    """Whether each half is judged by thresholds that are learned on the other."""
    answered: bool = False
    """Only rows about which the store answers for every judge that is replayed."""
    limit: int = 0
    """Rows of each part that are drawn, see `data.sampling`; 0 for all."""
    repeats: int = 1
    """Times each question is asked."""
    seed: int = 0
    """Of the random judge, the rows that `limit` draws, and the intervals."""
    against: tuple[str, ...] = (ENGINE,)
    """References: `engine`, `people`, or names of annotators."""
    labels: tuple[Path, ...] = ()
    """Files of people's labels; read where a reference is of people."""
    min_people: int = 2
    """How many must have been sure of a transition for their majority to count."""
    store: Path | None = None
    """Where models' answers are kept and replayed from."""
    base_url: str | None = None
    """The endpoint of models; None for `OPENAI_BASE_URL` or OpenAI's own."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of models, see `calm.judges.openai.OpenAIOptions`."""


def chosen_half(plan: EvaluationPlan) -> str:
    """Returns the half to evaluate on; what is chosen among or learned is so on the half to tune.

    Raises:
        UsageError: something would be chosen or learned on what is to be reported.
    """
    tunes = "--learn-thresholds" if plan.learn else "--sweep form" if FORM in plan.sweep else ""
    if plan.fold:
        _check_fold(plan, tunes)
    if plan.half == REPORT and tunes:
        raise UsageError(f"{tunes} is for the half to tune on: leave --half report out")
    return plan.half or (TUNE if tunes else "")


def _check_fold(plan: EvaluationPlan, tunes: str) -> None:
    """Raises UsageError where each half can't be judged by what is learned on the other."""
    half = f"--half {plan.half}" if plan.half else ""
    cut = "--thresholds" if plan.options.get("thresholds") else ""
    if beside := tunes or half or cut:
        raise UsageError(f"--fold learns on each half and reports the other: leave {beside} out")
    if plan.discovered:
        raise UsageError(
            "--fold learns from the truth, which nobody knows of discovered subgoals: leave it out"
        )
    if not any(reads_store(spec) for spec in plan.judges):
        raise UsageError(
            "--fold is for a model's answers: --judge local:MODEL, openai:MODEL or replay"
        )


def chosen_modes(names: Sequence[str]) -> list[Mode]:
    if "all" in names:
        return list(MODES)
    for name in names:
        if name not in MODES:
            raise unknown("description", name, [*MODES, "all"])
    return [m for m in MODES if m in names]


def chosen_parts(
    dataset: Dataset, names: Sequence[str] | None, tasks: Sequence[str] | None
) -> dict[str, Transitions]:
    for name in names or ():
        if name not in dataset.parts:
            raise unknown("part", name, dataset.parts)
    parts = {n: p for n, p in dataset.parts.items() if not names or n in names}
    if not tasks:
        return parts
    valid = {id for p in parts.values() for id in p.tasks}
    wanted = {task_named(name, valid) for name in tasks}
    return {
        n: Transitions(
            items_where(p.rows, (row.task in wanted for row in outlines(p.rows))),
            {id: t for id, t in p.tasks.items() if id in wanted},
        )
        for n, p in parts.items()
    }


def chosen_subgoals(dataset: Dataset, part: Transitions, wanted: str) -> dict[str, Task]:
    """Returns a part's tasks, each with the subgoals to ask about, by id.

    Any part of the set may define them.
    """
    if wanted == "given":
        return part.tasks
    known: dict[str, dict[str, Subgoal]] = {id: {} for id in part.tasks}
    for other in dataset.parts.values():
        for id in known.keys() & other.tasks.keys():
            known[id] |= {s.name: s for s in other.tasks[id].subgoals}
    if wanted == "all":
        return {
            id: replace(part.tasks[id], subgoals=tuple(of.values())) for id, of in known.items()
        }
    names = [n.strip() for n in wanted.split(",") if n.strip()]
    if not names:
        raise UsageError("--subgoals names none; it takes given, all, or names with commas between")
    for name in names:
        if not any(name in of for of in known.values()):
            raise unknown("subgoal", name, {n for of in known.values() for n in of})
    return {
        id: replace(part.tasks[id], subgoals=tuple(of[n] for n in names if n in of))
        for id, of in known.items()
    }

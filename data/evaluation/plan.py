"""An evaluation from names: a set, judges, descriptions, wordings; from there to tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calm.annotation.many import Progress
from calm.asking.form import form_named
from calm.errors import UsageError, unknown
from calm.judges import asks_model, make_judge
from calm.judges.protocol import Judge
from calm.judges.stored import ReplayJudge
from calm.judges.thresholds import write_thresholds
from calm.records import MODES, LabelledTransition, Mode, Subgoal, Task, Verdict
from calm.store.store import Store
from data.dataset import Dataset, load
from data.evaluation.answers import Contestant, ask
from data.evaluation.discovered import (
    Overrule,
    match_all,
    read_discovered,
    read_overrule,
    task_named,
)
from data.evaluation.halves import REPORT, TUNE, take_half
from data.evaluation.learn_thresholds import learn_thresholds
from data.evaluation.prompt_variants import (
    FORM,
    NO_ROLE_TEMPLATE,
    Variant,
    parse,
    title,
    variants,
)
from data.evaluation.run import EvaluationTable, LabelReference, evaluate_against
from data.evaluation.subgoal_match import Match, scored_tasks
from data.judge_options import options_for, refuse_unused
from data.label.files import read_label_file
from data.parquet import Transitions
from data.sampling import draw
from data.schema import ENGINE

ProgressLine = Callable[[str], Progress]
"""Opens a line of its own for the judge of that name, to be told how far it is."""


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


def run_plan(plan: EvaluationPlan, progress: ProgressLine | None = None) -> list[EvaluationTable]:
    """The tables of a plan: for each part of the set one for each reference.

    Args:
        plan: what to evaluate.
        progress: shows models at work.

    Raises:
        UsageError: something named is not there; lists what is.
        EndpointError, BudgetError: a model could not be asked to the end; what it answered is
            in the store.
    """
    refuse_unused(plan.judges, plan.options)
    half = _half(plan)
    dataset = load(plan.data)
    modes = _modes(plan.modes)
    overrule = read_overrule(plan.overrule) if plan.overrule else {}
    fixed = parse(plan.prompt)
    if form := plan.options.get(FORM):
        fixed = {FORM: form_named(form).name} | fixed
    wordings = variants(fixed, plan.sweep)
    parts = _parts(dataset, plan.parts, plan.tasks)
    need_store = [s for s in plan.judges if asks_model(s) or s.startswith("replay")]
    replayed = [spec for spec in need_store if spec.startswith("replay")]
    if plan.store and not plan.store.exists() and replayed:
        raise UsageError(
            f"there is no store at {plan.store} for {replayed[0]} to read; name it: --store"
        )
    people = _people(plan)
    with ExitStack() as stack:
        store = stack.enter_context(Store(plan.store)) if plan.store and need_store else None
        contestants = [
            _contestant(plan, spec, mode, wording, store, progress)
            for spec in plan.judges
            for mode in modes
            for wording in (wordings if takes_form(spec) else _without_form(wordings))
        ]
        tables = []
        for name, transitions in parts.items():
            transitions = take_half(transitions, half)
            tasks = _tasks_with_subgoals(dataset, transitions, plan.subgoals)
            matches = _matches(tasks, plan, overrule)
            rows = draw(transitions, plan.limit, plan.seed)
            tables.extend(
                evaluate_against(
                    plan.against,
                    contestants,
                    _answered(rows, contestants, tasks) if plan.answered else rows,
                    tasks,
                    people,
                    name=" ".join(x for x in (dataset.name, name, half and f"{half} half") if x),
                    natural_rate=dataset.natural_rate(scored_tasks(tasks, matches)),
                    matches=matches,
                    drawn_from=len(transitions.rows) if plan.limit else None,
                    seed=plan.seed,
                )
            )
        if plan.learn is not None:
            _learn(plan.learn, tables, contestants)
    return tables


def _people(plan: EvaluationPlan) -> LabelReference | None:
    """People's labels; None where the engine is the only reference."""
    if set(plan.against) <= {ENGINE}:
        return None
    labels = [label for file in plan.labels for label in read_label_file(file)]
    return LabelReference(labels, plan.min_people)


def _answered(
    rows: Sequence[LabelledTransition], contestants: Sequence[Contestant], tasks: Mapping[str, Task]
) -> list[LabelledTransition]:
    """Returns the rows about which every judge that is replayed has an answer in the store."""
    missing: set[int] = set()
    for contestant in contestants:
        if isinstance(contestant.judge, ReplayJudge):
            (answers,) = ask(replace(contestant, repeats=()), rows, tasks, {}).raw
            missing |= {i for i, a in enumerate(answers) if a.verdict is Verdict.ERROR}
    return [row for i, row in enumerate(rows) if i not in missing]


def takes_form(spec: str) -> bool:
    """Whether a judge is asked, or was asked, in a form of question that can be chosen."""
    return asks_model(spec) or spec.startswith("replay")


def _without_form(wordings: Sequence[Variant]) -> list[Variant]:
    """Returns the wordings that differ in more than the form of the question."""
    plain = ({k: v for k, v in w.items() if k != FORM} for w in wordings)
    return [dict(w) for w in dict.fromkeys(tuple(w.items()) for w in plain)]


def _half(plan: EvaluationPlan) -> str:
    """Returns the half to evaluate on; what is chosen among or learned is so on the half to tune.

    Raises:
        UsageError: something would be chosen or learned on what is to be reported.
    """
    tunes = "--learn-thresholds" if plan.learn else "--sweep form" if FORM in plan.sweep else ""
    if plan.half == REPORT and tunes:
        raise UsageError(f"{tunes} is for the half to tune on: leave --half report out")
    return plan.half or (TUNE if tunes else "")


def _learn(
    path: Path, tables: Sequence[EvaluationTable], contestants: Sequence[Contestant]
) -> None:
    """Writes the thresholds that fit what the one judge with confidence answered.

    Raises:
        UsageError: there are several such judges, or none.
    """
    if len(contestants) != 1 or len(tables) != 1:
        raise UsageError(
            "--learn-thresholds takes one judge, one description, one form and one part, not"
            f" {len(contestants)} of these on {len(tables)} parts"
        )
    table, judge = tables[0], contestants[0].judge
    thresholds = learn_thresholds(table.rows, [row.judgement for row in table.judged], judge.mode)
    texts = len({row.transition.texts[judge.mode] for row in table.rows})
    form = contestants[0].variant.get(FORM, "")
    told = f"{judge.name} {judge.mode} {form}".strip()
    write_thresholds(path, thresholds, f"{told}, on {table.name}: {texts} distinct texts")


def _contestant(
    plan: EvaluationPlan,
    spec: str,
    mode: Mode,
    wording: Variant,
    store: Store | None,
    progress: ProgressLine | None,
) -> Contestant:
    """A judge asked in one wording, and the judges that ask the same again for its flip rate."""

    def judge(repeat: int) -> Judge:
        options = options_for(spec, plan.options)
        seed = plan.seed + repeat
        if takes_form(spec) and FORM in wording:
            options[FORM] = wording[FORM]
        if asks_model(spec):
            if wording.get("role") == "off":
                options["template"] = NO_ROLE_TEMPLATE
            if repeat:  # another seed makes it another question, which is paid again
                options["extra"] = {"seed": seed}
        return make_judge(
            spec, mode=mode, store=store, base_url=plan.base_url, seed=seed, **options
        )

    judges = [judge(repeat) for repeat in range(plan.repeats)]
    name = " ".join(x for x in (spec, mode, title(wording)) if x)
    names = [f"{name}, again" if repeat else name for repeat in range(plan.repeats)]
    lines = [progress(n) for n in names] if progress and asks_model(spec) else []
    return Contestant(judges[0], wording, judges[1:], lines)


def _modes(names: Sequence[str]) -> list[Mode]:
    if "all" in names:
        return list(MODES)
    for name in names:
        if name not in MODES:
            raise unknown("description", name, [*MODES, "all"])
    return [m for m in MODES if m in names]


def _parts(
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
            [r for r in p.rows if r.transition.task in wanted],
            {id: t for id, t in p.tasks.items() if id in wanted},
        )
        for n, p in parts.items()
    }


def _tasks_with_subgoals(dataset: Dataset, part: Transitions, wanted: str) -> dict[str, Task]:
    """The part's tasks with the subgoals to ask about; any part of the set may define them."""
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


def _matches(
    tasks: Mapping[str, Task], plan: EvaluationPlan, overrule: Mapping[str, Overrule]
) -> dict[str, Match]:
    """How the discovered subgoals of each task are taken; empty where the given ones are asked."""
    if not plan.discovered:
        if overrule:
            raise UsageError("--match overrules how --discovered subgoals are taken; give both")
        return {}
    with ExitStack() as stack:
        there = plan.store is not None and plan.store.exists()
        store = stack.enter_context(Store(plan.store, readonly=True)) if there else None
        return match_all(tasks, read_discovered(plan.discovered, tasks, store), overrule)

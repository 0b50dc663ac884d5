"""Runs an evaluation: opens what its plan names, has every judge asked, and gives the tables."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from calm.annotation.many import Progress
from calm.asking.form import BOOLEANS, form_named
from calm.errors import UsageError
from calm.judges import asks_model, make_judge, reads_store
from calm.judges.protocol import Judge
from calm.judges.stored import ReplayJudge
from calm.judges.thresholds import write_thresholds
from calm.owned.address import owner_of_environment
from calm.owned.client import open_store
from calm.records import LabelledTransition, Mode, Task, Verdict
from calm.store.store import Store
from data import stored
from data.dataset import Dataset, load
from data.evaluation.answers import Contestant, ask
from data.evaluation.discovered import (
    Overrule,
    match_all,
    read_discovered,
    read_overrule,
)
from data.evaluation.evaluate import (
    EvaluationTable,
    LabelReference,
    TableOptions,
    evaluate_against,
)
from data.evaluation.halves import take_half
from data.evaluation.learn_thresholds import learn_thresholds
from data.evaluation.plan import (
    EvaluationPlan,
    chosen_half,
    chosen_modes,
    chosen_parts,
    chosen_subgoals,
)
from data.evaluation.prompt_variants import (
    FORM,
    NO_ROLE_TEMPLATE,
    Variant,
    parse,
    title,
    variants,
)
from data.evaluation.subgoal_match import Match, scored_tasks
from data.judge_options import options_for, refuse_unused
from data.label.files import read_label_file
from data.sampling import draw
from data.schema import ENGINE
from data.stored import items_where, outlines

ProgressLine = Callable[[str], Progress]
"""Opens a line of its own for the judge of that name, to be told how far it is."""


class NothingAnswered(UsageError):
    """Raised where only answered rows are wanted and there is none."""


def run_evaluation(
    plan: EvaluationPlan, progress: ProgressLine | None = None
) -> list[EvaluationTable]:
    """Returns the tables of a plan: for each part of the set one for each reference.

    Args:
        plan: what to evaluate.
        progress: shows models at work.

    Raises:
        UsageError: something named is not there; lists what is.
        EndpointError, BudgetError: a model could not be asked to the end; what it answered is
            in the store.
    """
    refuse_unused(plan.judges, plan.options)
    half = chosen_half(plan)
    dataset = load(plan.data, in_memory=stored.IN_MEMORY)
    modes = chosen_modes(plan.modes)
    overrule = read_overrule(plan.overrule) if plan.overrule else {}
    fixed = parse(plan.prompt)
    if form := plan.options.get(FORM):
        fixed = {FORM: form_named(form).name} | fixed
    wordings = variants(fixed, plan.sweep)
    parts = chosen_parts(dataset, plan.parts, plan.tasks)
    need_store = [spec for spec in plan.judges if reads_store(spec)]
    replayed = [spec for spec in need_store if not asks_model(spec)]
    is_owned = owner_of_environment() is not None
    if plan.store and not plan.store.exists() and replayed and not is_owned:
        raise UsageError(
            f"there is no store at {plan.store} for {replayed[0]} to read; name it: --store"
        )
    people = _people(plan, dataset)
    with ExitStack() as stack:
        store = stack.enter_context(open_store(plan.store)) if plan.store and need_store else None
        contestants = [
            _contestant(plan, spec, mode, wording, store, progress)
            for spec in plan.judges
            for mode in modes
            for wording in (
                _askable(wordings, mode) if reads_store(spec) else _without_form(wordings)
            )
        ]
        tables = []
        for name, transitions in parts.items():
            transitions = take_half(transitions, half)
            tasks = chosen_subgoals(dataset, transitions, plan.subgoals)
            matches = _matches(tasks, plan, overrule)
            rows = draw(transitions, plan.limit, plan.seed)
            if plan.answered:
                rows = _answered(rows, contestants, tasks, matches)
            options = TableOptions(
                name=" ".join(x for x in (dataset.name, name, half and f"{half} half") if x),
                natural_rate=dataset.natural_rate(scored_tasks(tasks, matches)),
                matches=matches,
                drawn_from=len(transitions.rows) if plan.limit else None,
                seed=plan.seed,
            )
            tables += evaluate_against(plan.against, contestants, rows, tasks, people, options)
        if plan.learn is not None:
            _learn(plan.learn, tables, contestants)
    return tables


def _people(plan: EvaluationPlan, dataset: Dataset) -> LabelReference | None:
    """Returns people's labels; None where the engine is the only reference.

    Warns of labels that are of no transition of the set, whatever its part: a transition's id is
    made of its texts, which may change from one version of a set to the next.
    """
    if set(plan.against) <= {ENGINE}:
        return None
    labels = [label for file in plan.labels for label in read_label_file(file)]
    ids = {label.id for label in labels}
    here = {o.id for part in dataset.parts.values() for o in outlines(part.rows) if o.id in ids}
    elsewhere = sum(label.id not in here for label in labels)
    if 0 < elsewhere < len(labels):
        warnings.warn(
            f"{elsewhere} of {len(labels)} labels are of transitions that are not in"
            f" {dataset.name} and don't count: they are of another set, or another version of it",
            stacklevel=1,
        )
    return LabelReference(labels, plan.min_people)


def _answered(
    rows: Sequence[LabelledTransition],
    contestants: Sequence[Contestant],
    tasks: Mapping[str, Task],
    matches: Mapping[str, Match],
) -> Sequence[LabelledTransition]:
    """Returns the rows about which every judge that is replayed has an answer in the store.

    Raises:
        NothingAnswered: there are none.
    """
    missing = np.zeros(len(rows), bool)
    for contestant in contestants:
        if isinstance(contestant.judge, ReplayJudge):
            plain = replace(contestant, repeats=(), fold=False)
            (answers,) = ask(plain, rows, tasks, matches).raw
            missing |= np.fromiter((a.verdict is Verdict.ERROR for a in answers), bool, len(rows))
    if missing.all():
        raise NothingAnswered(f"the store answers about none of {len(rows)} transitions")
    return items_where(rows, ~missing)


def _askable(wordings: Sequence[Variant], mode: Mode) -> Sequence[Variant]:
    """Returns the wordings whose form can be asked about this description; of one form, all."""
    if len({wording.get(FORM) for wording in wordings}) == 1:
        return wordings
    return [w for w in wordings if mode in form_named(w.get(FORM, BOOLEANS.name)).modes]


def _without_form(wordings: Sequence[Variant]) -> list[Variant]:
    """Returns the wordings that differ in more than the form of the question."""
    plain = ({k: v for k, v in w.items() if k != FORM} for w in wordings)
    return [dict(w) for w in dict.fromkeys(tuple(w.items()) for w in plain)]


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
    thresholds = learn_thresholds(table.rows, (row.judgement for row in table.judged), judge.mode)
    texts = len({row.transition.texts[judge.mode] for row in table.rows})
    form = contestants[0].variant.get(FORM, "")
    asked_as = f"{judge.name} {judge.mode} {form}".strip()
    write_thresholds(path, thresholds, f"{asked_as}, on {table.name}: {texts} distinct texts")


def _contestant(
    plan: EvaluationPlan,
    spec: str,
    mode: Mode,
    wording: Variant,
    store: Store | None,
    progress: ProgressLine | None,
) -> Contestant:
    """Returns a judge in one wording, with the judges that ask the same again for its flip rate."""

    def judge(repeat: int) -> Judge:
        options = options_for(spec, plan.options)
        seed = plan.seed + repeat
        if reads_store(spec) and FORM in wording:
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
    fold = plan.fold and reads_store(spec)
    if fold:
        wording = {**wording, "thresholds": "fold"}
    name = " ".join(x for x in (spec, mode, title(wording)) if x)
    names = [f"{name}, again" if repeat else name for repeat in range(plan.repeats)]
    lines = [progress(n) for n in names] if progress and asks_model(spec) else []
    return Contestant(judges[0], wording, judges[1:], fold, lines)


def _matches(
    tasks: Mapping[str, Task], plan: EvaluationPlan, overrule: Mapping[str, Overrule]
) -> dict[str, Match]:
    """Returns which given subgoal each discovered one means, by task; {} where none is asked."""
    if not plan.discovered:
        if overrule:
            raise UsageError("--match overrules how --discovered subgoals are taken; give both")
        return {}
    with ExitStack() as stack:
        is_owned = owner_of_environment() is not None
        there = is_owned or (plan.store is not None and plan.store.exists())
        store = stack.enter_context(open_store(plan.store, readonly=True)) if there else None
        return match_all(tasks, read_discovered(plan.discovered, tasks, store), overrule)

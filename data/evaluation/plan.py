"""An evaluation from names: a set, judges, descriptions, ways of asking; from there to tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from calm.errors import UsageError, unknown
from calm.files import write_file
from calm.judges import asks_model, make_judge
from calm.judges.protocol import Judge
from calm.records import MODES, Mode, Subgoal, Task
from calm.store.store import Store
from data.cli.model_options import check_taken, taken
from data.cli.watch import Watch
from data.dataset import Dataset, load
from data.evaluation.discovered import (
    Overrule,
    match_all,
    read_discovered,
    read_overrule,
    task_named,
)
from data.evaluation.prompt_variants import (
    NO_ROLE_TEMPLATE,
    Variant,
    Varied,
    parse,
    title,
    variants,
)
from data.evaluation.run import Contestant, EvaluationTable, evaluate
from data.evaluation.subgoal_match import Match
from data.parquet import Transitions, write_judgements
from data.report.page import write_report


@dataclass(frozen=True, slots=True)
class Contest:
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
    limit: int = 0
    """Only the first rows of each part; 0 for all."""
    repeats: int = 1
    """Times each question is asked."""
    seed: int = 0
    """Of the random judge and the intervals."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of models, see `calm.judges.openai.OpenAIOptions`."""


def run(
    contest: Contest,
    store: Path | None = None,
    base_url: str | None = None,
    watch: Watch | None = None,
) -> list[EvaluationTable]:
    """The tables of a contest, one for each part of the set; `watch` shows models at work.

    Raises:
        UsageError: something named is not there; lists what is.
    """
    check_taken(contest.judges, contest.options)
    chosen = load(contest.data)
    modes = _modes(contest.modes)
    overrule = read_overrule(contest.overrule) if contest.overrule else {}
    ways = variants(parse(contest.prompt), contest.sweep)
    parts = _parts(chosen, contest.parts, contest.tasks)
    kept = [spec for spec in contest.judges if asks_model(spec) or spec.startswith("replay")]
    if store and not store.exists() and (replayed := [s for s in kept if s.startswith("replay")]):
        raise UsageError(
            f"there is no store at {store} for {replayed[0]} to read; name it: --store"
        )
    with ExitStack() as stack:
        ask = partial(
            _contestant,
            store=stack.enter_context(Store(store)) if store and kept else None,
            base_url=base_url,
            contest=contest,
            watch=watch,
        )
        contestants = [ask(s, m, way) for s in contest.judges for m in modes for way in ways]
        tables = []
        for name, transitions in parts.items():
            tasks = _asked(chosen, transitions, contest.subgoals)
            tables.append(
                evaluate(
                    contestants,
                    transitions.rows[: contest.limit or None],
                    tasks,
                    name=f"{chosen.name} {name}".strip(),
                    natural_rate=chosen.natural_rate(tasks),
                    matches=_matches(tasks, contest.discovered, overrule, store),
                    seed=contest.seed,
                )
            )
    return tables


def save(folder: Path, tables: Sequence[EvaluationTable]) -> None:
    """Writes the report, the numbers and every answer of the tables into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_report(folder / "evaluate.html", tables, "Evaluation of judges")
    numbers = json.dumps({"tables": [t.to_dict() for t in tables]}, indent=2)
    write_file(folder / "evaluate.json", numbers + "\n")
    for table in tables:
        name = table.name.replace(" ", "-") or "set"
        write_judgements(folder / f"answers-{name}.parquet", table.judged)


def _contestant(
    spec: str,
    mode: Mode,
    variant: Variant,
    *,
    store: Store | None,
    base_url: str | None,
    contest: Contest,
    watch: Watch | None,
) -> Contestant:
    """A judge asked in one way, and the judges that ask the same again for its flip rate."""

    def made(k: int) -> Judge:
        options = taken(spec, contest.options)
        seed = contest.seed + k
        if asks_model(spec):
            if variant.get("role") == "off":
                options["template"] = NO_ROLE_TEMPLATE
            if k:  # another seed makes it another question, which is paid again
                options["extra"] = {"seed": seed}
        judge = make_judge(spec, mode=mode, store=store, base_url=base_url, seed=seed, **options)
        if watch is not None:
            name = " ".join(x for x in (spec, mode, title(variant)) if x)
            watch.judge(f"{name}, again" if k else name, judge)
        return Varied(judge, variant) if variant else judge

    return Contestant(made(0), title(variant), [made(k) for k in range(1, contest.repeats)])


def _modes(names: Sequence[str]) -> list[Mode]:
    if "all" in names:
        return list(MODES)
    for name in names:
        if name not in MODES:
            raise unknown("description", name, [*MODES, "all"])
    return [m for m in MODES if m in names]


def _parts(
    chosen: Dataset, names: Sequence[str] | None, tasks: Sequence[str] | None
) -> dict[str, Transitions]:
    for name in names or ():
        if name not in chosen.parts:
            raise unknown("part", name, chosen.parts)
    parts = {n: p for n, p in chosen.parts.items() if not names or n in names}
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


def _asked(chosen: Dataset, part: Transitions, wanted: str) -> dict[str, Task]:
    """The part's tasks with the subgoals to ask about; any part of the set may define them."""
    if wanted == "given":
        return part.tasks
    known: dict[str, dict[str, Subgoal]] = {id: {} for id in part.tasks}
    for other in chosen.parts.values():
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
    tasks: Mapping[str, Task],
    files: Sequence[str],
    overrule: Mapping[str, Overrule],
    store: Path | None,
) -> dict[str, Match]:
    if not files:
        if overrule:
            raise UsageError("--match overrules how --discovered subgoals are taken; give both")
        return {}
    with ExitStack() as stack:
        there = store is not None and store.exists()
        kept = stack.enter_context(Store(store, readonly=True)) if there else None
        return match_all(tasks, read_discovered(files, tasks, kept), overrule)

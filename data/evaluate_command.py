"""`calm evaluate`: judges × descriptions × subgoals on a labelled set, in one table."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from calm.decompose import read_subgoals
from calm.errors import PartialError, UsageError, unknown
from calm.judge import Judge
from calm.judges import make_judge
from calm.records import MODES, Mode, Subgoal, Task
from calm.store import Store
from data.ablate import NO_ROLE_TEMPLATE, Variant, Varied, parse, title, variants
from data.dataset import Dataset, load
from data.evaluate import Contestant, EvaluationTable, evaluate
from data.match import Match, match, read_overrule
from data.parquet import Transitions, write_judgements
from data.report import write_report
from data.show import render


def evaluate_command(
    data: Annotated[
        str,
        typer.Option(help="A labelled set: keyroom-v1, minihack-v1, a folder or a parquet file."),
    ] = "keyroom-v1",
    judge: Annotated[
        list[str] | None,
        typer.Option(
            help="Whom to ask: openai:MODEL, rules, replay:MODEL, always-yes, always-no,"
            " random[:P]. Repeat for several.",
            show_default="rules, always-yes, always-no, random",
        ),
    ] = None,
    mode: Annotated[
        list[str] | None,
        typer.Option(
            help="What they read: screen, crop, events, or all. Repeat for several.",
            show_default="events",
        ),
    ] = None,
    part: Annotated[
        list[str] | None, typer.Option(help="Parts of the set.", show_default="all")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Tasks of the set.", show_default="all")
    ] = None,
    subgoals: Annotated[
        str,
        typer.Option(
            help="given: those the set asks about; all: every one with a known truth; or names,"
            " separated by commas."
        ),
    ] = "given",
    discovered: Annotated[
        Path | None,
        typer.Option(
            help="Ask about the subgoals of this file instead, as `calm decompose` writes it;"
            " they are matched to the given ones by name."
        ),
    ] = None,
    match_file: Annotated[
        Path | None,
        typer.Option(
            "--match", help='Overrule the matching: JSON {"discovered": "given" or null}.'
        ),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTION=LEVEL",
            help="Change the prompt: role=off, legend=off, goal=win, message=off, action=off,"
            " spacing=on. Repeat for several.",
        ),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTION",
            help="Cross both levels of a prompt option; all crosses all six. Repeat for several.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Only the first N of a part; 0: all.")] = 0,
    repeats: Annotated[
        int, typer.Option(min=1, help="Times each question is asked; 2 or more give a flip rate.")
    ] = 1,
    store: Annotated[
        Path, typer.Option(help="The store of answers; what it holds is not asked again.")
    ] = Path("calm.sqlite"),
    base_url: Annotated[
        str | None,
        typer.Option(help="Of the OpenAI-compatible endpoint.", envvar="OPENAI_BASE_URL"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for evaluate.html, evaluate.json and every answer as parquet."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random judge and the intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")] = False,
) -> None:
    """Measure judges against the engine's truth.

    Prints the paper's four numbers and, beside them, those that tell judgement from enthusiasm,
    with intervals, paired tests, failure classes and cost. Exits with 4 if answers of a model
    could not be read.
    """
    chosen = load(data)
    specs = judge or ["rules", "always-yes", "always-no", "random"]
    modes = _modes(mode or ["events"])
    overrule = read_overrule(match_file) if match_file else {}
    found = read_subgoals(discovered) if discovered else ()
    ways = variants(parse(prompt or []), sweep or [])
    if not store.exists() and (replayed := [s for s in specs if s.startswith("replay")]):
        raise UsageError(
            f"there is no store at {store} for {replayed[0]} to read; name it: --store"
        )
    tables: list[EvaluationTable] = []
    with ExitStack() as stack:
        stored = any(spec.startswith(("openai:", "replay")) for spec in specs)
        answers = stack.enter_context(Store(store)) if stored else None
        ask = partial(_contestant, store=answers, base_url=base_url, seed=seed, repeats=repeats)
        contestants = [ask(spec, m, way) for spec in specs for m in modes for way in ways]
        for name, transitions in _parts(chosen, part, task).items():
            tasks = _asked(chosen, transitions, subgoals)
            tables.append(
                evaluate(
                    contestants,
                    transitions.rows[: limit or None],
                    tasks,
                    name=f"{chosen.name} {name}".strip(),
                    natural_rate=chosen.natural_rate(tasks),
                    matches=_matches(tasks, found, overrule),
                    seed=seed,
                )
            )
    if out:
        save(out, tables)
    if as_json:
        sys.stdout.write(json.dumps({"tables": [t.to_dict() for t in tables]}, indent=2) + "\n")
    else:
        console = Console()
        for table in tables:
            console.print(render(table, paper=table.is_papers_design))
            console.print()
    lost = sum(t.unreadable for t in tables)
    if lost:
        raise PartialError(f"{lost} answers could not be read; they are counted as their own class")


def save(folder: Path, tables: Sequence[EvaluationTable]) -> None:
    """Writes the report, the numbers and every answer of the tables into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_report(folder / "evaluate.html", tables, "Evaluation of judges")
    numbers = json.dumps({"tables": [t.to_dict() for t in tables]}, indent=2)
    (folder / "evaluate.json").write_text(numbers + "\n", "utf-8")
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
    seed: int,
    repeats: int,
) -> Contestant:
    """A judge asked in one way, and the judges that ask the same again for its flip rate."""

    def made(k: int) -> Judge:
        options: dict[str, Any] = {}
        if spec.startswith("openai:"):  # only a model takes options
            if variant.get("role") == "off":
                options["template"] = NO_ROLE_TEMPLATE
            if k:  # another seed makes it another question, which is paid again
                options["extra"] = {"seed": seed + k}
        judge = make_judge(
            spec, mode=mode, store=store, base_url=base_url, seed=seed + k, **options
        )
        return Varied(judge, variant) if variant else judge

    return Contestant(made(0), title(variant), [made(k) for k in range(1, repeats)])


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
    for id in tasks:
        if id not in valid:
            raise unknown("task of this set", id, valid)
    return {
        n: Transitions(
            [r for r in p.rows if r.transition.task in tasks],
            {id: t for id, t in p.tasks.items() if id in tasks},
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
    for name in names:
        if not any(name in of for of in known.values()):
            raise unknown("subgoal", name, {n for of in known.values() for n in of})
    return {
        id: replace(part.tasks[id], subgoals=tuple(of[n] for n in names if n in of))
        for id, of in known.items()
    }


def _matches(
    tasks: Mapping[str, Task], found: Sequence[Subgoal], overrule: Mapping[str, str | None]
) -> dict[str, Match]:
    if not found:
        return {}
    if len(tasks) > 1:
        raise UsageError("discovered subgoals are of one task; choose it with --task")
    return {id: match(found, task.subgoals, overrule) for id, task in tasks.items()}

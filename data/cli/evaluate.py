"""`calm evaluate`: judges × descriptions × subgoals on a labelled set, in one table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from calm.cli.asking_options import AskingOptions, with_asking_options
from calm.cli.options import BaseUrl, Json, StoreOption
from calm.files import check_writable
from data.cli.label_options import LABELS


@with_asking_options()
def evaluate_command(
    *,
    data: Annotated[
        str,
        typer.Option(help="A labelled set: keyroom-v1, minihack-v1, a folder or a parquet file."),
    ] = "keyroom-v1",
    judge: Annotated[
        list[str] | None,
        typer.Option(
            help="Whom to ask: local:MODEL, openai:MODEL, rules, replay:MODEL, always-yes,"
            " always-no, random[:P]. Repeat for several.",
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
        list[str] | None,
        typer.Option(
            metavar="[TASK=]FILE",
            help="Ask about the subgoals of this file instead, as `calm decompose` writes it, or of"
            " the list with this hash in the store; they are matched to the given ones by name."
            " Repeat for several tasks.",
        ),
    ] = None,
    match_file: Annotated[
        Path | None,
        typer.Option(
            "--match",
            help='Overrule the matching: JSON {"discovered": "given" or null}, or one such mapping'
            " for each task.",
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
            help="Cross both levels of a prompt option; all crosses all six; form crosses the forms"
            " of question and answer, on the half to tune on. Repeat for several.",
        ),
    ] = None,
    half: Annotated[
        str,
        typer.Option(
            help="tune or report: only the texts of that half. What is chosen or learned on one is"
            " reported on the other.",
            show_default="all; tune with --sweep form and --learn-thresholds",
        ),
    ] = "",
    learn_thresholds: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Learn on the half to tune on how likely a yes must be, for --thresholds FILE.",
        ),
    ] = None,
    fold: Annotated[
        bool,
        typer.Option(
            help="Learn how likely a yes must be on each half of the texts, and judge the other by"
            " it, so that every row is reported and none by what it taught."
        ),
    ] = False,
    answered: Annotated[
        bool, typer.Option(help="Only rows about which the store answers for every replayed judge.")
    ] = False,
    limit: Annotated[
        int,
        typer.Option(
            min=0,
            help="Only N rows of each part, the same for every judge, drawn by --seed so that each"
            " class keeps its share; 0: all.",
        ),
    ] = 0,
    repeats: Annotated[
        int, typer.Option(min=1, help="Times each question is asked; 2 or more give a flip rate.")
    ] = 1,
    store: StoreOption = Path("calm.sqlite"),
    base_url: BaseUrl = None,
    asking: AskingOptions,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="engine|people|NAME",
            help="Score against the engine's truth, the majority of people, or one annotator."
            " Repeat for several.",
            show_default="engine",
        ),
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            help="Where people's labels are: the file of `calm label`, or .csv and .parquet files."
            " Repeat for several.",
            show_default=str(LABELS),
        ),
    ] = None,
    min_people: Annotated[
        int, typer.Option(min=1, help="People who must be sure of a transition to be its truth.")
    ] = 2,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for evaluate.html, evaluate.json and every answer as parquet."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of the random judge, the rows of --limit, and the intervals.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Measure judges against the engine's truth, or against people's labels.

    Prints the paper's four numbers and, beside them, those that tell judgement from enthusiasm,
    with intervals, paired tests, failure classes and cost. Every answer of a model is kept: stopped
    by Ctrl-C, a limit or a dead endpoint, the same command resumes there. Exits with 4 if
    answers of a model could not be read.
    """
    # What counts and asks takes a second to import; `calm --help` should not wait for it.
    from data.cli.watch import Watch
    from data.evaluation.plan import EvaluationPlan
    from data.evaluation.run import run_evaluation
    from data.evaluation.unreadable import unreadable
    from data.report.save import save_evaluation
    from data.report.terminal import render, summary_table

    if out is not None:
        check_writable(out / "evaluate.json")
    if learn_thresholds is not None:
        check_writable(learn_thresholds)
    plan = EvaluationPlan(
        data=data,
        judges=tuple(judge or ["rules", "always-yes", "always-no", "random"]),
        modes=tuple(mode or ["events"]),
        parts=tuple(part or ()),
        tasks=tuple(task or ()),
        subgoals=subgoals,
        discovered=tuple(discovered or ()),
        overrule=match_file,
        prompt=tuple(prompt or ()),
        sweep=tuple(sweep or ()),
        half=half,
        learn=learn_thresholds,
        fold=fold,
        answered=answered,
        limit=limit,
        repeats=repeats,
        seed=seed,
        against=tuple(against or ["engine"]),
        labels=tuple(labels or [LABELS]),
        min_people=min_people,
        store=store,
        base_url=base_url,
        options=asking.for_judge(),
    )
    errors = Console(stderr=True)
    with Watch(errors) as watch:
        try:
            tables = run_evaluation(plan, watch.line)
        except KeyboardInterrupt:
            errors.print(
                Text(f"Stopped; every answer is in {store}. The same command resumes there."),
                soft_wrap=True,
            )
            raise
    if as_json:
        sys.stdout.write(json.dumps({"tables": [t.to_dict() for t in tables]}, indent=2) + "\n")
    else:
        console = Console()
        for table in tables:
            console.print(render(table, paper=table.is_papers_design))
            console.print()
        if len(plan.against) > 1:
            console.print(summary_table(tables))
    if out is not None:
        save_evaluation(out, tables)
    judged = {(r.id, r.judge, r.mode, r.variant, r.sample): r for t in tables for r in t.judged}
    if error := unreadable(judged.values()):
        raise error

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
from calm.cli.option_record import with_record
from calm.cli.options import BaseUrls, Json, StoreOption
from calm.files import check_writable
from data.cli.evaluation_options import EvaluationOptions, ReferenceOptions


@with_record("what", EvaluationOptions)
@with_record("reference", ReferenceOptions)
@with_asking_options()
def evaluate_command(
    *,
    what: EvaluationOptions,
    store: StoreOption = Path("calm.sqlite"),
    base_url: BaseUrls = None,
    asking: AskingOptions,
    reference: ReferenceOptions,
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
    from data.cli.progress import Watch
    from data.evaluation.plan import EvaluationPlan
    from data.evaluation.run import run_evaluation
    from data.evaluation.unreadable import distinct, unreadable
    from data.report.save import save_evaluation
    from data.report.terminal import render, summary_table

    if out is not None:
        check_writable(out / "evaluate.json")
    if what.learn_thresholds is not None:
        check_writable(what.learn_thresholds)
    plan = EvaluationPlan(
        **what.for_plan(),
        **reference.for_plan(),
        seed=seed,
        store=store,
        base_url=" ".join(base_url or ()) or None,
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
    if error := unreadable(distinct([table.judged for table in tables])):
        raise error

"""`calm annotate`: one judge's answers about every transition of a set, kept and written out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calm.cli.asking_options import AskingOptions, with_asking_options
from calm.cli.options import BaseUrls, Json, StoreOption
from calm.files import check_writable


@with_asking_options()
def annotate_command(
    *,
    judge: Annotated[
        str,
        typer.Option(
            help="Whom to ask: local:MODEL, openai:MODEL, rules, replay:MODEL, always-no, ..."
        ),
    ],
    data: Annotated[
        str, typer.Option(help="A labelled set, or a parquet file as `calm collect` writes it.")
    ] = "keyroom-v1",
    part: Annotated[str, typer.Option(help="Part of the set.", show_default="the first")] = "",
    mode: Annotated[str, typer.Option(help="What it reads: screen, crop or events.")] = "events",
    out: Annotated[
        Path | None, typer.Option(help="Parquet file for the answers, a row for each transition.")
    ] = None,
    store: StoreOption = Path("calm.sqlite"),
    base_url: BaseUrls = None,
    asking: AskingOptions,
    limit: Annotated[
        int,
        typer.Option(
            min=0,
            help="Only N rows, drawn by --seed so that each class keeps its share; 0: all.",
        ),
    ] = 0,
    subgoals: Annotated[
        str, typer.Option(help="given, a YAML file of `calm decompose`, or a stored list's hash.")
    ] = "given",
    per_request: Annotated[
        int, typer.Option(min=1, help="Transitions in one request, matched by id.")
    ] = 1,
    batch: Annotated[
        bool, typer.Option(help="Through the Batch API: cheaper, within a day, resumable.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked and cost; ask nothing.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the random judge and the rows of --limit.")] = 0,
    as_json: Json = False,
) -> None:
    """Have one judge answer about every transition, through the store.

    Stopped by Ctrl-C, a limit or a dead endpoint, it keeps what was answered, and the same command
    resumes there. A limit counts what these questions (task, subgoals, prompt, model) have
    cost in this store, whichever run paid: a job started again does not get its limit anew. Exits
    with 3 at a limit, with 4 if some answers could not be read.
    """
    # What asks takes a second to import; `calm --help` should not wait for it.
    from data.annotation import AnnotationPlan, annotate_set, plan_cost
    from data.cli.watch import Watch
    from data.evaluation.unreadable import unreadable
    from data.parquet import write_judgements
    from data.report.annotation import describe_plans, describe_summary

    if out is not None:
        check_writable(out)
    addresses = " ".join(base_url or ()) or None
    options = {"per_request": per_request, "batch": batch} | asking.for_judge()
    plan = AnnotationPlan(judge, data, part, mode, subgoals, limit, seed, store, addresses, options)
    if dry_run:
        plans = plan_cost(plan)
        as_values = {id: vars(one) for id, one in plans.items()}
        lines = [json.dumps(as_values, indent=2)] if as_json else describe_plans(plans)
        sys.stdout.write("\n".join(lines) + "\n")
        return
    with Watch(Console(stderr=True)) as watch:
        annotated = annotate_set(plan, watch.line)
    if out:
        write_judgements(out, annotated.answers)
    if as_json:
        summaries = [s.as_json() for s in annotated.summaries]
        sys.stdout.write(json.dumps(summaries, indent=2) + "\n")
    else:
        for summary in annotated.summaries:
            sys.stdout.write(describe_summary(summary) + "\n")
        if out:
            sys.stdout.write(f"answers written to {out}\n")
    if annotated.stopped:
        raise annotated.stopped
    if error := unreadable(annotated.answers):
        raise error

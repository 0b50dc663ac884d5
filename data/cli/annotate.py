"""`calm annotate`: one judge's answers about every transition of a set, kept and written out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from calm.cli.asking_options import AskingOptions, with_asking_options
from calm.cli.options import BaseUrls, Json, StoreOption
from calm.files import check_writable

if TYPE_CHECKING:
    from data.schema import JudgedTransition


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
    shard: Annotated[
        str,
        typer.Option(
            metavar="K/N", help="Only the K-th of N parts of the rows, for as many processes."
        ),
    ] = "",
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
    cost in this store, whichever run paid: a job started again does not get its limit anew. A set
    of any size is read block by block. Shards may run on as many machines, through one owner
    (`calm owner serve`) or with a store each (`calm store merge`); without --shard the same command
    then writes the whole table from the store. Exits
    with 3 at a limit, with 4 if some answers could not be read.
    """
    # What asks takes a second to import; `calm --help` should not wait for it.
    from data.annotation import AnnotationPlan, annotate_rows, plan_cost
    from data.cli.progress import Watch
    from data.evaluation.unreadable import UnreadableCount
    from data.judgements import judgement_writer
    from data.report.annotation import describe_plans, describe_summary
    from data.rows import read_shard

    if out is not None:
        check_writable(out)
    addresses = " ".join(base_url or ()) or None
    options = {"per_request": per_request, "batch": batch} | asking.for_judge()
    plan = AnnotationPlan(
        judge,
        data,
        part,
        mode,
        subgoals,
        limit,
        seed,
        store,
        addresses,
        read_shard(shard) if shard else None,
        options,
    )
    if dry_run:
        plans = plan_cost(plan)
        as_values = {id: vars(one) for id, one in plans.items()}
        lines = [json.dumps(as_values, indent=2)] if as_json else describe_plans(plans)
        sys.stdout.write("\n".join(lines) + "\n")
        return
    count = UnreadableCount()
    with ExitStack() as closing:
        watch = closing.enter_context(Watch(Console(stderr=True)))
        write = closing.enter_context(judgement_writer(out)) if out else None

        def take(answers: Sequence[JudgedTransition]) -> None:
            count.add(answers)
            if write:
                write(answers)

        summaries = annotate_rows(plan, take, watch.line)
    if as_json:
        sys.stdout.write(json.dumps([s.as_json() for s in summaries], indent=2) + "\n")
    else:
        for summary in summaries:
            sys.stdout.write(describe_summary(summary) + "\n")
        if out:
            sys.stdout.write(f"answers written to {out}\n")
    for summary in summaries:
        if summary.stopped:
            raise summary.stopped
    if error := count.error():
        raise error

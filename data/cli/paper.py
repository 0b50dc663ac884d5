"""`calm paper`: the paper's own protocol, from its 256 steps to its table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calm.cli.asking_options import AskingOptions, with_asking_options
from calm.cli.options import BaseUrl, Json, StoreOption
from calm.files import check_writable
from data.cli.label_options import LABELS


@with_asking_options()
def paper_command(
    *,
    judge: Annotated[
        list[str] | None,
        typer.Option(
            help="Whom to ask, as in evaluate. Repeat for several.",
            show_default="rules, always-yes, random",
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="people|engine|NAME",
            help="Score against people, as the paper did, the engine, or one annotator. Repeat.",
            show_default="people",
        ),
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Where people's labels are, as in evaluate.", show_default=str(LABELS)),
    ] = None,
    min_people: Annotated[
        int, typer.Option(min=1, help="People who must be sure of a step; the paper had one label.")
    ] = 1,
    discovered: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[TASK=]FILE", help="Subgoals that a model named, for the second half."
        ),
    ] = None,
    match_file: Annotated[
        Path | None,
        typer.Option(
            "--match",
            help="What each of these means, as labels import --matches writes.",
        ),
    ] = None,
    store: StoreOption = Path("calm.sqlite"),
    base_url: BaseUrl = None,
    asking: AskingOptions,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for evaluate.html, evaluate.json and every answer as parquet."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random judge and the intervals.")] = 0,
    as_json: Json = False,
) -> None:
    """Reproduce the paper's table: 256 steps of KeyRoom, three even classes, screens and crops.

    Prints the paper's rows and ours below them. Subgoals are the given ones, and those that
    --discovered names. People's labels are the truth, as in the paper; --against engine shows what
    the engine's own would make of the same answers.
    """
    from data.cli.progress import Watch
    from data.evaluation.plan import EvaluationPlan
    from data.evaluation.protocol import DATA, run_protocol
    from data.evaluation.unreadable import unreadable
    from data.report.paper import protocol_table
    from data.report.save import save_evaluation

    if out is not None:
        check_writable(out / "evaluate.json")
    plan = EvaluationPlan(
        data=DATA,
        judges=tuple(judge or ["rules", "always-yes", "random"]),
        discovered=tuple(discovered or ()),
        overrule=match_file,
        seed=seed,
        against=tuple(against or ["people"]),
        labels=tuple(labels or [LABELS]),
        min_people=min_people,
        store=store,
        base_url=base_url,
        options=asking.for_judge(),
    )
    with Watch(Console(stderr=True)) as watch:
        tables = run_protocol(plan, watch.line)
    if as_json:
        sys.stdout.write(json.dumps({"tables": [t.to_dict() for t in tables]}, indent=2) + "\n")
    else:
        Console().print(protocol_table(tables))
    if out is not None:
        save_evaluation(out, tables)
    if error := unreadable(row for table in tables for row in table.judged):
        raise error

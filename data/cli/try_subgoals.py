"""`calm try-subgoals`: what becomes of a list of subgoals on transitions that were played."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from calm.cli.asking_options import AskingOptions, with_asking_options
from calm.cli.options import BaseUrl, Json, StoreOption
from calm.cli.output import make_console, print_json
from calm.files import check_writable


@with_asking_options()
def try_subgoals_command(
    *,
    subgoals: Annotated[
        Path, typer.Argument(help="YAML or JSON file, as `calm decompose --out` writes it.")
    ],
    data: Annotated[
        str, typer.Option(help="Played transitions: a set's name, a folder or a parquet file.")
    ] = "keyroom-v1",
    part: Annotated[
        str, typer.Option(help="Of the set.", show_default="natural, else the first")
    ] = "",
    task: Annotated[str, typer.Option(help="Of the set.", show_default="the file's")] = "",
    judge: Annotated[
        str, typer.Option(help="Who judges, as in calm annotate: local:MODEL, openai:MODEL, rules.")
    ] = "rules",
    mode: Annotated[str, typer.Option(help="What it reads: screen, crop or events.")] = "events",
    limit: Annotated[int, typer.Option(min=0, help="Only N distinct texts; 0: all.")] = 60,
    again: Annotated[
        bool, typer.Option(help="Where something is wrong, ask the model for better ones, once.")
    ] = False,
    statements: Annotated[
        bool,
        typer.Option(
            "--statements",
            help="Ask the model first which lines of the descriptions tell of its subgoals; the"
            " file of --out has them, for --form lines.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the better or the stated list to this file.")
    ] = None,
    store: StoreOption = Path("calm.sqlite"),
    base_url: BaseUrl = None,
    asking: AskingOptions,
    as_json: Json = False,
) -> None:
    """Try subgoals on played transitions: which are never met, always, or only together.

    No truth is needed. With --again the model that judges is told what became of its list and names
    another; the store keeps both. With --statements it is asked which lines of the descriptions
    tell of its subgoals, of those that come about once an episode and in most that reach the goal.
    """
    from data.subgoal_trial import TrialPlan, run_trial

    if out is not None:
        check_writable(out)
    plan = TrialPlan(
        subgoals=subgoals,
        data=data,
        part=part,
        task=task,
        judge=judge,
        mode=mode,
        limit=limit,
        again=again,
        statements=statements,
        out=out,
        store=store,
        base_url=base_url,
        options=asking.for_judge(),
    )
    result = run_trial(plan, lambda line: Console(stderr=True).print(Text(line)))
    if as_json:
        print_json(result.as_json())
        return
    console = make_console()
    for stated in result.stated:
        said = "; ".join(stated.subgoal.statements)
        console.print(Text(f"{stated.subgoal.name}: “{stated.clause}”, told by “{said}”"))
    for trial in result.trials:
        console.print(Text(f"Tried on {trial.readable} of {trial.transitions} transitions:"))
        for name, n in trial.confirmed.items():
            console.print(Text(f"  {n:5d}  {name}"))
        for line in trial.warnings or ["Nothing is wrong with them."]:
            console.print(Text(line))

"""`calm evaluate`: judges × descriptions × subgoals on a labelled set, in one table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from calm.cli.options import BaseUrl, Json, KeyEnv, StoreOption
from calm.files import check_writable
from data.cli import model_options as ask


def evaluate_command(
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
            help="Cross both levels of a prompt option; all crosses all six. Repeat for several.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Only the first N of a part; 0: all.")] = 0,
    repeats: Annotated[
        int, typer.Option(min=1, help="Times each question is asked; 2 or more give a flip rate.")
    ] = 1,
    store: StoreOption = Path("calm.sqlite"),
    base_url: BaseUrl = None,
    samples: ask.Samples = 1,
    repair: ask.Repair = False,
    logprobs: ask.Logprobs = False,
    concurrency: ask.Concurrency = 64,
    rpm: ask.Rpm = None,
    tpm: ask.Tpm = None,
    timeout: ask.Timeout = 120.0,
    deadline: ask.Deadline = 900.0,
    prices: ask.Prices = None,
    key_env: KeyEnv = "OPENAI_API_KEY",
    max_cost: ask.MaxCost = None,
    max_tokens: ask.MaxTokens = None,
    max_requests: ask.MaxRequests = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for evaluate.html, evaluate.json and every answer as parquet."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random judge and the intervals.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure judges against the engine's truth.

    Prints the paper's four numbers and, beside them, those that tell judgement from enthusiasm,
    with intervals, paired tests, failure classes and cost. Every answer of a model is kept: stopped
    by Ctrl-C, a limit or a dead endpoint, the same command goes on from there. Exits with 4 if
    answers of a model could not be read.
    """
    # What counts and asks takes a second to import; `calm --help` should not wait for it.
    from calm.endpoint.budget import Limits
    from data.cli.watch import Watch
    from data.evaluation.plan import Contest, run, save
    from data.evaluation.unreadable import unreadable
    from data.report.terminal import render

    if out is not None:
        check_writable(out / "evaluate.json")
    contest = Contest(
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
        limit=limit,
        repeats=repeats,
        seed=seed,
        options={
            "samples": samples,
            "repair": repair,
            "logprobs": logprobs,
            "concurrency": concurrency,
            "rpm": rpm,
            "tpm": tpm,
            "timeout": timeout,
            "deadline": deadline,
            "prices": prices,
            "key_env": key_env,
            "limits": Limits(max_cost, max_tokens, max_requests),
        },
    )
    errors = Console(stderr=True)
    with Watch(errors) as watch:
        try:
            tables = run(contest, store, base_url, watch)
        except KeyboardInterrupt:
            errors.print(
                Text(f"Stopped; every answer is in {store}. The same command goes on from there."),
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
    if out is not None:
        save(out, tables)
    if error := unreadable(row for table in tables for row in table.judged):
        raise error

"""`calm evaluate`: judges × descriptions × subgoals on a labelled set, in one table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calm.errors import PartialError


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
    # What counts and asks takes a second to import; `calm --help` should not wait for it.
    from data.contest import Contest, run, save
    from data.show import render

    contest = Contest(
        data=data,
        judges=tuple(judge or ["rules", "always-yes", "always-no", "random"]),
        modes=tuple(mode or ["events"]),
        parts=tuple(part or ()),
        tasks=tuple(task or ()),
        subgoals=subgoals,
        discovered=discovered,
        overrule=match_file,
        prompt=tuple(prompt or ()),
        sweep=tuple(sweep or ()),
        limit=limit,
        repeats=repeats,
        seed=seed,
    )
    tables = run(contest, store, base_url)
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

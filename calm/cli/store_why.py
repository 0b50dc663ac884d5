"""`calm store why`: why a question is not answered from a store."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from calm.cli.options import (
    Json,
    KeptStoreOption,
    TaskArgument,
)
from calm.cli.output import make_console, print_json
from calm.errors import UsageError
from calm.records import MODES
from calm.tasks import find_task
from calm.text import clean


def why_command(
    task: TaskArgument,
    text: Annotated[
        str, typer.Argument(help="The transition's description; `-` reads it from standard input.")
    ],
    judge: Annotated[
        str, typer.Option(help="The judge that was asked: local:MODEL or openai:MODEL.")
    ],
    store: KeptStoreOption = Path("calm.sqlite"),
    subgoals: Annotated[
        str, typer.Option(help="given, a file, or the start of a stored list's hash.")
    ] = "given",
    mode: Annotated[str, typer.Option(help=f"Which description: {', '.join(MODES)}.")] = "events",
    temperature: Annotated[float | None, typer.Option(help="As in the run.")] = None,
    max_tokens: Annotated[int, typer.Option(help="As in the run.")] = 1024,
    per_request: Annotated[int, typer.Option(help="As in the run.")] = 1,
    samples: Annotated[int, typer.Option(help="As in the run.")] = 1,
    logprobs: Annotated[bool, typer.Option("--logprobs", help="As in the run.")] = False,
    as_json: Json = False,
) -> None:
    """Say why a question is not answered from the store: which part of its key differs.

    Exits with 1 if it is not stored.
    """
    from calm.judges import asks_model, make_judge
    from calm.judges.protocol import RemoteJudge
    from calm.store.explain_miss import why
    from calm.store.store import Store
    from calm.subgoals import find_subgoals

    described = find_task(task)
    if mode not in MODES:
        raise UsageError(f"unknown mode {mode!r}; valid: {', '.join(MODES)}")
    if not asks_model(judge):
        raise UsageError("only local:MODEL and openai:MODEL have answers in a store")
    with Store.existing(store) as opened:
        asker = make_judge(
            judge,
            mode=mode,
            store=opened,
            base_url="http://localhost/v1",  # nobody is asked
            temperature=temperature,
            max_tokens=max_tokens,
            per_request=per_request,
            samples=samples,
            logprobs=logprobs,
        )
        assert isinstance(asker, RemoteJudge)
        context = asker.context(described, find_subgoals(subgoals, described, opened))
        explained = why(opened, context, sys.stdin.read() if text == "-" else text)
    if as_json:
        print_json(
            asdict(explained) | {"differences": [d._asdict() for d in explained.differences]}
        )
    elif explained.stored:
        make_console().print(Text(f"stored, and read as: {explained.verdict}"))
    elif not explained.differences:
        make_console().print(Text("not stored; the store holds no answers at all"))
    else:
        table = Table("part of the key", "asked for", "nearest stored", show_lines=True)
        for difference in explained.differences:
            table.add_row(*(Text(clean(part)) for part in difference))
        make_console().print(Text("not stored; from the nearest stored answer these parts differ:"))
        make_console().print(table)
    if not explained.stored:
        raise typer.Exit(1)

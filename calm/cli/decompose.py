"""`calm decompose`: the subgoals that lead to a task's goal, named by a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from calm.cli.asking_options import AskingOptions, with_asking_options
from calm.cli.options import BaseUrl, Json, StoreOption, TaskArgument
from calm.cli.output import make_console, print_json
from calm.cli.waiting import waiting
from calm.files import check_writable
from calm.records import Subgoal, subgoals_hash
from calm.tasks import find_task


@with_asking_options("timeout", "deadline", "key_env")
def decompose_command(
    *,
    task: TaskArgument,
    judge: Annotated[
        str,
        typer.Option(
            help="Who names them: local:MODEL, openai:MODEL, or rules for the given ones."
        ),
    ] = "rules",
    store: StoreOption = Path("calm.sqlite"),
    out: Annotated[
        Path | None,
        typer.Option(help="Write them to this file, YAML or .json, to be edited and named later."),
    ] = None,
    base_url: BaseUrl = None,
    asking: AskingOptions,
    as_json: Json = False,
) -> None:
    """Ask a model which subgoals lead to a task's goal; check, keep and show them.

    Asked once: the same question is answered from the store. Other commands take the list as
    `--subgoals FILE` or by the hash shown.
    """
    from calm.decompose import name_subgoals
    from calm.owned.client import open_store
    from calm.subgoals import write_subgoals

    described = find_task(task)
    if out is not None:
        check_writable(out)
    with (
        open_store(store) as opened,
        waiting(Console(stderr=True), f"{judge}: subgoals of {described.id}"),
    ):
        subgoals = name_subgoals(
            described, judge, opened, base_url=base_url, options=asking.for_judge()
        )
    if out is not None:
        write_subgoals(out, described.id, subgoals)
    if as_json:
        listed = [{"name": s.name, "definition": s.definition} for s in subgoals]
        print_json({"task": described.id, "hash": subgoals_hash(subgoals), "subgoals": listed})
        return
    console = make_console()
    console.print(Text(f"{described.id}: {described.goal}"))
    _print_subgoals(console, subgoals)
    console.print(Text(f"hash {subgoals_hash(subgoals)[:12]}"))
    if out is not None:
        console.print(Text(f"written to {out}"))


def _print_subgoals(console: Console, subgoals: tuple[Subgoal, ...]) -> None:
    for i, subgoal in enumerate(subgoals, 1):
        console.print(Text(f"{i}. {subgoal.name}: {subgoal.definition}"))

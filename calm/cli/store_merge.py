"""`calm store merge`: the stores of several machines in one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from calm.cli.options import Json
from calm.cli.output import make_console, print_json

_SHOWN = 20


def store_merge_command(
    sources: Annotated[list[Path], typer.Argument(help="Stores to take in, in this order.")],
    into: Annotated[
        Path, typer.Option(help="The store that takes them; made if missing, else it comes first.")
    ],
    as_json: Json = False,
) -> None:
    """Bring the stores of several machines together; those that are merged stay as they are.

    Equal questions have equal keys, whoever asked. Where two stores have different answers to one
    question, the first is kept and the conflict is listed. What every answer cost is kept too.
    Stopped, the same command resumes; a store that was merged before adds nothing.
    """
    from calm.store.merge import merge_stores

    report = merge_stores(sources, into)
    if as_json:
        print_json(asdict(report))
        return
    console = make_console()
    console.print(
        Text(
            f"{report.new} answers taken into {into}, {report.there} were there already,"
            f" {report.conflicts} questions have another answer there, which was kept"
        )
    )
    for source, jobs in report.open_batches.items():
        words = f"{source}: {jobs} jobs of the Batch API are not done; they can only be had there"
        console.print(Text(words))
    if report.listed:
        table = Table("task", "model", "text", "kept", "left", "of", title="Conflicts")
        for one in report.listed[:_SHOWN]:
            answers = (": ".join(answer)[:60] for answer in (one.kept, one.left))
            cells = (one.task, one.model, one.text[:60], *answers)
            table.add_row(*(Text(" ".join(cell.split())) for cell in (*cells, one.source)))
        console.print(table)
        if report.conflicts > _SHOWN:
            rest = f"{report.conflicts - _SHOWN} more; --json lists up to a thousand with all words"
            console.print(Text(rest))

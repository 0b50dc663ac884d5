"""`calm doctor`: checks the installation and says what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calm.cli.options import BaseUrl, Json


def doctor(
    base_url: BaseUrl = None,
    store: Annotated[Path | None, typer.Option(help="A store to open too.")] = None,
    as_json: Json = False,
) -> None:
    """Check that everything works here.

    Packages and versions, a level compiled and stepped, a store written, the endpoint reached if
    one is set. Exit code 1 if something does not; each failure says what to do.
    """
    from agents.cli.health import examine

    console = Console(highlight=False)
    findings = []
    for finding in examine(base_url, store):
        findings.append(finding)
        if not as_json:
            sign, style = ("ok  ", "green") if finding.good else ("FAIL", "red")
            console.print(f"{sign} {finding.name:18}", style=style, end="", markup=False)
            console.print(finding.detail, markup=False, soft_wrap=True)
            if not finding.good:
                console.print(f"     -> {finding.remedy}", markup=False, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps([vars(f) for f in findings], indent=2))
    if not all(f.good for f in findings):
        raise typer.Exit(1)

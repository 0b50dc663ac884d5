"""`calm report`: writes one HTML file of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calm.errors import CalmError


def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write; report.html in the first run by default.")
    ] = None,
) -> None:
    """Write one HTML report of runs.

    Learning curves with intervals, a table of the agents, what the judge cost, every setting; all
    in one file. Runs that differ only in their seed share a colour.
    """
    from agents.report.page import report_runs
    from agents.training.run_folder import Run

    opened = [Run.open(folder) for folder in runs]
    if not any(run.metrics() for run in opened):
        raise CalmError("none of these runs has been evaluated yet, so there is nothing to draw")
    typer.echo(str(report_runs(opened, out or runs[0] / "report.html")))

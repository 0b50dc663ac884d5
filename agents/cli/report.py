"""`calm report`: writes one HTML file of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calm.errors import CalmError


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Folders of runs, folders that hold such, or patterns such as 'runs/*'."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write; by default report.html in the run, or in the folder that holds the"
            " first of several."
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=TEXT",
            help="What to call an agent, by its name in the report or a run's folder; repeat for"
            " several.",
        ),
    ] = None,
) -> None:
    """Write one HTML report of runs.

    Learning curves with intervals, subgoals over time, a table of the agents, what the judge cost,
    every setting; all in one file. Runs that differ only in their seed share a colour.
    """
    from agents.report.page import report_runs
    from agents.training.run.find import find_runs
    from agents.training.run.folder import Run

    opened = [Run.open(folder) for folder in find_runs(runs)]
    if not any(run.metrics() for run in opened):
        raise CalmError("none of these runs has been evaluated yet, so there is nothing to draw")
    folder = opened[0].folder
    if len(opened) > 1:  # each keeps its own report
        whole = len(runs) == 1 and Path(runs[0]).is_dir()
        folder = Path(runs[0]) if whole else folder.parent
    path = out or folder / "report.html"
    if len(opened) > 1:
        typer.echo(f"{len(opened)} runs", err=True)
    typer.echo(str(report_runs(opened, path, label or ())))

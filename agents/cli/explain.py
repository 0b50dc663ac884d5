"""`calm explain`: draws where an agent looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from calm.cli.options import Json


def explain(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    situations: Annotated[
        int, typer.Option(min=1, max=24, help="Recorded situations to draw.")
    ] = 6,
    observations: Annotated[
        int, typer.Option(min=16, help="Observations to average over and to check by occlusion.")
    ] = 512,
    hide: Annotated[int, typer.Option(min=1, help="Cells to hide in the check.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of levels and of the random cells.")] = 0,
    as_json: Json = False,
) -> None:
    """Draw where a trained agent looks, and check that it matters.

    Plays held-out levels with the run's policy and draws a few situations, the mean over all, and
    importance by kind of cell: as the encoder's mechanism tells it, and as hiding each cell alone
    shows it; of an agent with a judge also by stage, the furthest subgoal achieved. PNGs, one HTML
    file in the run's folder, and in its report. The check of each: how far the policy moves when
    the top cells are hidden, against as many random known cells.
    """
    from agents.inspection.saliency.explain import explain_run
    from agents.report.page import report_runs
    from agents.training.run.folder import Run

    explanation = explain_run(run, situations, observations, hide, seed)
    if (opened := Run.open(run)).metrics():
        report_runs([opened], opened.folder / "report.html")
    if as_json:
        typer.echo(json.dumps(explanation.to_dict(), indent=2))
        return
    for line in (*explanation.lines(), f"drawn in {explanation.files[-1]}"):
        typer.echo(line)

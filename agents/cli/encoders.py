"""The commands about encoders: what there is, how fast it is, where it attends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from calm.cli.options import Json, Quick, bench_app, run_bench


def register(app: typer.Typer) -> None:
    """Adds `calm encoders`, `calm explain` and `calm bench encoders`."""
    app.command()(encoders)
    app.command()(explain)


def encoders(
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", help="An observation key; repeat for several. [as calm train]"),
    ] = None,
    crop: Annotated[int, typer.Option(min=3, help="Side of the crop; odd.")] = 9,
    features_dim: Annotated[int, typer.Option(min=8, help="Width of the joint features.")] = 256,
    as_json: Json = False,
) -> None:
    """List the encoders: size, arithmetic and measured time of each.

    A whole encoder each: everything between an observation and the features that policy and value
    share. Times are of a forward at batch 16 on one core; all take turns.
    """
    from agents.bench.encoder_table import BATCH, table
    from agents.training.config import make_config

    values = {"crop": crop, "features_dim": features_dim} | ({"keys": keys} if keys else {})
    entries = table(make_config(values))
    if as_json:
        typer.echo(
            json.dumps({"batch": BATCH, "encoders": [e._asdict() for e in entries]}, indent=2)
        )
        return
    shown = Table(
        "encoder", "parameters", "MFLOP", f"ms at batch {BATCH}", "of the CNN's", "what it does"
    )
    for entry in entries:
        cells = (
            entry.name,
            f"{entry.parameters:,}",
            f"{entry.mflops:.2f}",
            f"{entry.ms:.2f}",
            f"{entry.times_cnn:.1f} x",
            entry.about,
        )
        shown.add_row(*map(Text, cells))
    Console(highlight=False).print(shown)


@bench_app.command("encoders")
def bench_encoders(
    quick: Quick = False,
    only: Annotated[
        Literal["mechanisms", "scans"] | None, typer.Option(help="One of the two parts.")
    ] = None,
    tokens: Annotated[
        list[int] | None,
        typer.Option(
            help="Cells, and length of the scans: 81, 440, 1659 or 6636; --quick has 81 and 1659."
            " Repeat for several."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; by default a GPU where there is one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure every mechanism and baseline against tokens and batch, and the scan's rivals.

    Forward, forward with backward, and peak memory; contestants take turns. The whole takes many
    minutes, most of them for the largest batches: --only and --tokens measure a part, --quick a few
    sizes.
    """
    from agents.bench.encoders import run

    run_bench(lambda say: run(quick, say, device, only, tokens or ()), as_json)


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
    shows it. PNGs, one HTML file in the run's folder, and in its report. The check of each: how far
    the policy moves when the top cells are hidden, against as many random known cells.
    """
    from agents.inspection.explain import explain_run
    from agents.report.page import report_runs
    from agents.training.run_folder import Run

    found = explain_run(run, situations, observations, hide, seed)
    if (opened := Run.open(run)).metrics():
        report_runs([opened], opened.folder / "report.html")
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
        return
    for line in (*found.lines(), f"drawn in {found.files[-1]}"):
        typer.echo(line)

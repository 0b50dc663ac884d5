"""`calm labels simulate`: labels of programs with stated error rates, to try a round out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from data.cli.label_options import DataOption, PartOption


def labels_simulate_command(
    to: Annotated[Path, typer.Argument(help="A .csv or .parquet file.")],
    annotator: Annotated[
        list[str],
        typer.Option(
            metavar="NAME:RATE=P,...",
            help="One simulated annotator; rates: miss, false, confuse, unsure, skip. Repeat.",
        ),
    ],
    data: DataOption = "keyroom-v1",
    part: PartOption = "",
    seed: Annotated[int, typer.Option(help="Of the errors.")] = 0,
) -> None:
    """Write labels of simulated annotators, drawn from the engine's truth with errors.

    For trying out a labelling round and for documentation. Their names begin with `simulated`:
    they are no people's labels.
    """
    from data.dataset import load
    from data.label.files import write_label_file
    from data.label.simulate import read_rates, simulate

    rows = load(data).part(part)
    labels = simulate(rows.rows, rows.tasks, dict(map(read_rates, annotator)), seed)
    write_label_file(to, labels)
    sys.stdout.write(f"{len(labels)} simulated labels written to {to}\n")

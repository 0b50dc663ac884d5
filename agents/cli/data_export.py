"""`calm data export`: transitions for other tools."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from calm.cli.options import Json


class Format(StrEnum):
    """What the files are for."""

    DATASETS = "datasets"
    MINARI = "minari"


def data_export(
    source: Annotated[
        str,
        typer.Argument(
            help="Name or folder of a set, a parquet file of `calm collect`, or a run's folder."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(help="New folder; of minari the folder of its datasets, which is added to."),
    ],
    format: Annotated[
        Format, typer.Option(help="Hugging Face datasets, or Minari's whole episodes.")
    ] = Format.DATASETS,
    part: Annotated[str, typer.Option(help="Of a set, for minari. [the first]")] = "",
    episodes: Annotated[
        int | None,
        typer.Option(
            min=1, max=512, help="Of a run, how many its agent plays. [those recorded, or 4]"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of a run, the levels' and the play's. [the run's]")
    ] = None,
    name: Annotated[str, typer.Option(help="The dataset's, for minari. [that of the source]")] = "",
    licence: Annotated[
        str, typer.Option(help="The hub's id of it, such as cc-by-4.0. [the set's own]")
    ] = "",
    as_json: Json = False,
) -> None:
    """Write transitions as files that other tools read, each with a card.

    datasets: parquet and a README.md that `datasets.load_dataset(OUT)` reads; nothing of a set is
    left out. minari: a dataset a task, of whole episodes with observations, actions, rewards, ends
    and infos; what it can't hold is told. Steps that were picked out of episodes, as in the
    packaged sets, are refused there.
    """
    from agents.sharing.export import export_minari, export_tables

    if format is Format.MINARI:
        written = export_minari(source, out, part, episodes, seed, name)
        lines = [
            f"{one['id']}: {one['episodes']} episodes, {one['steps']} steps in {one['folder']}"
            for one in written
        ]
        lines += [f"  not in it: {text}" for one in written for text in one["left_out"]]
        lines.append(f"MINARI_DATASETS_PATH={out} has minari.load_dataset find them")
        typer.echo(json.dumps(written) if as_json else "\n".join(lines))
        return
    about = export_tables(source, out, episodes, seed, licence)
    typer.echo(
        json.dumps(about)
        if as_json
        else f'{out}: datasets.load_dataset("{out}") reads it; README.md says what is in it'
    )

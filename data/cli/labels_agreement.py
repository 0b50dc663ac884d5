"""`calm labels agreement`: how far people agree with one another and with the engine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calm.cli.options import Json
from data.cli.label_options import LABELS, DataOption, LabelsOption, PartOption


def labels_agreement_command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help=".csv or .parquet files of labels.", show_default="--labels"),
    ] = None,
    data: DataOption = "keyroom-v1",
    part: PartOption = "",
    labels: LabelsOption = LABELS,
    as_json: Json = False,
) -> None:
    """How far annotators agree with one another and with the engine: kappas, and where they differ.

    Cohen's kappa for each pair, the engine among them, and Fleiss' for all on what all have
    labelled, with 95 % intervals clustered by episode.
    """
    from data.dataset import load
    from data.label.files import read_label_file, stored_labels
    from data.report.agreement import render_agreement
    from data.scoring.disagreements import agreement

    rows = (
        [label for file in files for label in read_label_file(file)]
        if files
        else stored_labels(labels)
    )
    result = agreement(rows, load(data).part(part).rows)
    if as_json:
        sys.stdout.write(json.dumps(result.to_dict(), indent=2) + "\n")
    else:
        Console().print(render_agreement(result))

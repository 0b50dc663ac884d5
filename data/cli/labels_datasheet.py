"""`calm labels datasheet`: the record of a labelling round, to be filled in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from calm.files import write_file
from data.cli.label_options import LABELS, DataOption, LabelsOption, PartOption


def labels_datasheet_command(
    to: Annotated[Path, typer.Argument(help="A .md file.")],
    data: DataOption = "keyroom-v1",
    part: PartOption = "",
    labels: LabelsOption = LABELS,
) -> None:
    """Write the datasheet of a labelling round: what the labels tell, and blanks for the rest."""
    from data.dataset import load
    from data.label.files import read_label_file
    from data.report.datasheet import datasheet

    dataset = load(data)
    rows = dataset.part(part).rows
    write_file(to, datasheet(read_label_file(labels), rows, dataset.version(part)))
    sys.stdout.write(f"datasheet written to {to}\n")

"""`calm labels import`: labels of other files into the store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from data.cli.label_options import LABELS, LabelsOption


def labels_import_command(
    files: Annotated[list[Path], typer.Argument(help=".csv or .parquet files of labels.")],
    labels: LabelsOption = LABELS,
) -> None:
    """Add the labels of other files, each under its own annotator's name."""
    from data.label.files import read_label_file
    from data.label.store import LabelStore

    with LabelStore(labels) as store:
        for file in files:
            sys.stdout.write(f"{file}: {store.merge(read_label_file(file))} new labels\n")

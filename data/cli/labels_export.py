"""`calm labels export`: all labels as a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from data.cli.label_options import LABELS, LabelsOption


def labels_export_command(
    to: Annotated[Path, typer.Argument(help="A .csv or .parquet file.")],
    labels: LabelsOption = LABELS,
) -> None:
    """Write all labels to a CSV or parquet file."""
    from data.label.files import stored_labels, write_label_file

    rows = stored_labels(labels)
    write_label_file(to, rows)
    sys.stdout.write(f"{len(rows)} labels written to {to}\n")

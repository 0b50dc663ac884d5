"""What the commands about people's labels share: their options, and reading labels from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LABELS = Path("runs/labels.sqlite")

DataOption = Annotated[
    str, typer.Option(help="A labelled set: its name, a folder or a parquet file.")
]
PartOption = Annotated[str, typer.Option(help="Part of the set.", show_default="the first")]
LabelsOption = Annotated[Path, typer.Option(help="The file of labels (SQLite).")]

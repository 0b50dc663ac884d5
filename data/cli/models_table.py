"""`calm models table`: what models answered, measured by replay and written as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text


def models_table_command(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Holds an export of answers (`calm store export`) and cells.yaml, which names the"
            " models and what they were asked."
        ),
    ],
) -> None:
    """Measure what models answered, by replay, and write table.md and table.json beside it."""
    from data.evaluation.model_cells import measure_cells
    from data.report.model_page import PAGE, write_model_page

    errors = Console(stderr=True, highlight=False)
    measured = measure_cells(folder, lambda line: errors.print(Text(line)))
    write_model_page(folder, measured)
    answered = sum(one.answered for one in measured)
    Console(highlight=False).print(
        Text(f"{answered} of {len(measured)} cells are answered: {folder / PAGE}")
    )

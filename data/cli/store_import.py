"""`calm store import`: another person's answers into a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from calm.cli.options import StoreOption


def store_import_command(
    folder: Annotated[Path, typer.Argument(help="An export: manifest.json and answers.parquet.")],
    store: StoreOption = Path("calm.sqlite"),
) -> None:
    """Take another person's answers into a store; answers that are there already stay."""
    from calm.store.store import Store
    from data.store_export import import_store

    with Store(store) as opened:
        new, there = import_store(folder, opened)
    Console(highlight=False).print(Text(f"{new} answers taken in, {there} were there already"))

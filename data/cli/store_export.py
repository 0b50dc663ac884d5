"""`calm store export`: a store's answers for another person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from calm.cli.options import KeptStoreOption
from calm.errors import UsageError


def store_export_command(
    out: Annotated[Path, typer.Argument(help="Folder to write; must not hold an export yet.")],
    store: KeptStoreOption = Path("calm.sqlite"),
) -> None:
    """Write a store's answers as parquet with a manifest, for another person to replay."""
    from calm.store.store import Store
    from data.store_export import export_store

    if not store.is_file():
        raise UsageError(f"no store at {store}; name one with --store")
    with Store(store, readonly=True) as opened:
        manifest = export_store(opened, out)
    Console(highlight=False).print(Text(f"{manifest['answers']} answers written to {out}"))

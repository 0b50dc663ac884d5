"""`calm data build`: makes a labelled set from its seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def data_build(
    name: Annotated[str, typer.Argument(help="Which set: keyroom-v1, minihack-v1 or -v2.")],
    out: Annotated[Path | None, typer.Option(help="Folder; its own in data/ by default.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Build apart and compare with what is shipped.")
    ] = False,
) -> None:
    """Build a labelled set from its seeds, or check that it still comes out the same.

    Exit code 1 if --check finds a part that differs.
    """
    from agents.data_sets.build import build, differing_parts
    from data.dataset import SHIPPED

    folder = out or SHIPPED / name
    if not check:
        build(name, folder)
        typer.echo(f"{name} is in {folder}")
        return
    parts = differing_parts(name, folder)
    same = "identical, byte for byte" if not parts else f"DIFFERS in {', '.join(parts)}"
    typer.echo(f"{name}: {same}")
    if parts:
        raise typer.Exit(1)

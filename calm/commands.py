"""The commands of this layer: decompose, probe, store and bench judge."""

from __future__ import annotations

import typer

bench_app = typer.Typer(
    no_args_is_help=True,
    help="Compare on the same work in one run: ours beside what one would use otherwise.",
)
"""Upper layers add their own: `bench_app.command("env")(function)` in their `register`."""


def register(app: typer.Typer) -> None:
    """Adds this layer's commands."""
    app.add_typer(bench_app, name="bench")

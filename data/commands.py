"""The commands about data: evaluate judges, label transitions, move tables in and out."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Adds this layer's commands to `app`."""
    from data.evaluate_command import evaluate_command

    app.command("evaluate")(evaluate_command)

"""The commands about data: annotate, evaluate judges, label transitions, move labels in and out."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Adds this layer's commands to `app`."""
    from data.annotate_command import annotate_command
    from data.evaluate_command import evaluate_command

    app.command("annotate")(annotate_command)
    app.command("evaluate")(evaluate_command)

    try:
        from data.label_command import (
            agreement_command,
            export_command,
            import_command,
            label_command,
        )
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("starlette", "uvicorn"):
            raise
        return
    app.command("label")(label_command)
    labels = typer.Typer(no_args_is_help=True, help="Move labels in and out, measure agreement.")
    labels.command("export")(export_command)
    labels.command("import")(import_command)
    labels.command("agreement")(agreement_command)
    app.add_typer(labels, name="labels")

"""The commands about data: annotate, evaluate, label, and move labels and answers in and out."""

from __future__ import annotations

from importlib.util import find_spec

import typer

from calm.cli.commands import store_app
from data.cli.annotate import annotate_command
from data.cli.evaluate import evaluate_command
from data.cli.label import (
    agreement_command,
    export_command,
    import_command,
    label_command,
)
from data.store_export import export_command as store_export_command
from data.store_export import import_command as store_import_command

# Parquet is what calm's own `store` commands can't write.
store_app.command("export")(store_export_command)
store_app.command("import")(store_import_command)


def register(app: typer.Typer) -> None:
    """Adds this layer's commands to `app`; the labelling page where its server is installed."""
    app.command("annotate")(annotate_command)
    app.command("evaluate")(evaluate_command)
    if find_spec("starlette") and find_spec("uvicorn"):
        app.command("label")(label_command)
    labels = typer.Typer(no_args_is_help=True, help="Move labels in and out, measure agreement.")
    labels.command("export")(export_command)
    labels.command("import")(import_command)
    labels.command("agreement")(agreement_command)
    app.add_typer(labels, name="labels")

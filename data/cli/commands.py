"""Registers the commands of this layer, one file each beside this one."""

from __future__ import annotations

from importlib.util import find_spec

import typer

from calm.cli.commands import store_app
from data.cli.annotate import annotate_command
from data.cli.evaluate import evaluate_command
from data.cli.label import label_command
from data.cli.labels_agreement import labels_agreement_command
from data.cli.labels_export import labels_export_command
from data.cli.labels_import import labels_import_command
from data.cli.store_export import store_export_command
from data.cli.store_import import store_import_command
from data.cli.verify import verify_command


def register(app: typer.Typer) -> None:
    """Adds this layer's commands to `app`; the labelling page where its server is installed."""
    app.command("annotate")(annotate_command)
    app.command("evaluate")(evaluate_command)
    if find_spec("starlette") and find_spec("uvicorn"):
        app.command("label")(label_command)
    labels = typer.Typer(no_args_is_help=True, help="Move labels in and out, measure agreement.")
    labels.command("export")(labels_export_command)
    labels.command("import")(labels_import_command)
    labels.command("agreement")(labels_agreement_command)
    app.add_typer(labels, name="labels")
    sets = typer.Typer(no_args_is_help=True, help="The packaged labelled sets, and your own.")
    sets.command("verify")(verify_command)
    app.add_typer(sets, name="data")
    # Parquet is what calm's own `store` commands can't write.
    store_app.command("export")(store_export_command)
    store_app.command("import")(store_import_command)

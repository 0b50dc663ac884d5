"""Registers the commands of this layer, one file each beside this one."""

from __future__ import annotations

import typer

from calm.cli.options import group_named
from data.cli.annotate import annotate_command
from data.cli.bench_local import bench_local_command
from data.cli.evaluate import evaluate_command
from data.cli.label import label_command
from data.cli.labels_agreement import labels_agreement_command
from data.cli.labels_export import labels_export_command
from data.cli.labels_import import labels_import_command
from data.cli.labels_simulate import labels_simulate_command
from data.cli.store_export import store_export_command
from data.cli.store_import import store_import_command
from data.cli.verify import verify_command


def register(app: typer.Typer) -> None:
    """Adds this layer's commands to `app`."""
    app.command("annotate")(annotate_command)
    app.command("evaluate")(evaluate_command)
    app.command("label")(label_command)
    group_named(app, "bench").command("local")(bench_local_command)
    labels = group_named(app, "labels", "Move labels in and out, measure agreement.")
    labels.command("export")(labels_export_command)
    labels.command("import")(labels_import_command)
    labels.command("simulate")(labels_simulate_command)
    labels.command("agreement")(labels_agreement_command)
    sets = group_named(app, "data", "The packaged labelled sets, and your own.")
    sets.command("verify")(verify_command)
    store = group_named(app, "store")  # parquet is what calm's own commands can't write
    store.command("export")(store_export_command)
    store.command("import")(store_import_command)

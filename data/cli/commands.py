"""Adds the commands of this layer to `calm`; each is a file here."""

from __future__ import annotations

import typer

from calm.cli.groups import Groups
from data.cli.annotate import annotate_command
from data.cli.bench_local import bench_local_command
from data.cli.evaluate import evaluate_command
from data.cli.label import label_command
from data.cli.labels_agreement import labels_agreement_command
from data.cli.labels_datasheet import labels_datasheet_command
from data.cli.labels_export import labels_export_command
from data.cli.labels_import import labels_import_command
from data.cli.labels_simulate import labels_simulate_command
from data.cli.models_table import models_table_command
from data.cli.paper import paper_command
from data.cli.store_export import store_export_command
from data.cli.store_import import store_import_command
from data.cli.try_subgoals import try_subgoals_command
from data.cli.verify import verify_command


def register(app: typer.Typer, groups: Groups) -> None:
    """Adds the commands of this layer to `app` and to `bench`, `labels`, `models`, `data` and
    `store`."""
    app.command("annotate")(annotate_command)
    app.command("evaluate")(evaluate_command)
    app.command("paper")(paper_command)
    app.command("label")(label_command)
    app.command("try-subgoals")(try_subgoals_command)
    groups("bench").command("local")(bench_local_command)
    groups("labels").command("export")(labels_export_command)
    groups("labels").command("import")(labels_import_command)
    groups("labels").command("datasheet")(labels_datasheet_command)
    groups("labels").command("simulate")(labels_simulate_command)
    groups("labels").command("agreement")(labels_agreement_command)
    groups("models").command("table")(models_table_command)
    groups("data").command("verify")(verify_command)
    # Parquet is what calm's own commands can't write.
    groups("store").command("export")(store_export_command)
    groups("store").command("import")(store_import_command)

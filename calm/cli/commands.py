"""Adds the commands of this layer to `calm`; each is a file here."""

from __future__ import annotations

import typer

from calm.cli.bench_judge import bench_judge_command
from calm.cli.decompose import decompose_command
from calm.cli.models_list import models_list
from calm.cli.models_pull import models_pull
from calm.cli.models_remove import models_remove
from calm.cli.models_serve import models_serve
from calm.cli.options import group_named
from calm.cli.probe import probe_command
from calm.cli.store_stats import stats_command
from calm.cli.store_verify import verify_command
from calm.cli.store_why import why_command


def register(app: typer.Typer) -> None:
    """Adds `decompose` and `probe` to `app`, and the groups `store`, `models` and `bench`."""
    app.command("decompose")(decompose_command)
    app.command("probe")(probe_command)
    store = group_named(app, "store", "Look into a store of answers, and move them.")
    store.command("stats")(stats_command)
    store.command("why")(why_command)
    store.command("verify")(verify_command)
    models = group_named(app, "models", "Language models that run on this machine.")
    models.command("list")(models_list)
    models.command("pull")(models_pull)
    models.command("serve")(models_serve)
    models.command("remove")(models_remove)
    bench = group_named(
        app,
        "bench",
        "Compare on the same work in one run: ours beside what one would use otherwise.",
    )
    bench.command("judge")(bench_judge_command)

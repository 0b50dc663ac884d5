"""Adds the commands of this layer to `calm`; each is a file here."""

from __future__ import annotations

import typer

from calm.cli.bench_judge import bench_judge_command
from calm.cli.bench_owner import bench_owner_command
from calm.cli.decompose import decompose_command
from calm.cli.groups import Groups
from calm.cli.models_list import models_list
from calm.cli.models_pull import models_pull
from calm.cli.models_remove import models_remove
from calm.cli.models_serve import models_serve
from calm.cli.owner_serve import owner_serve_command
from calm.cli.probe import probe_command
from calm.cli.store_merge import store_merge_command
from calm.cli.store_stats import stats_command
from calm.cli.store_verify import verify_command
from calm.cli.store_why import why_command


def register(app: typer.Typer, groups: Groups) -> None:
    """Adds the commands of this layer to `app` and to the groups `store`, `models`, `bench`."""
    app.command("decompose")(decompose_command)
    app.command("probe")(probe_command)
    groups("store").command("stats")(stats_command)
    groups("store").command("merge")(store_merge_command)
    groups("store").command("why")(why_command)
    groups("store").command("verify")(verify_command)
    groups("owner").command("serve")(owner_serve_command)
    groups("models").command("list")(models_list)
    groups("models").command("pull")(models_pull)
    groups("models").command("serve")(models_serve)
    groups("models").command("remove")(models_remove)
    groups("bench").command("judge")(bench_judge_command)
    groups("bench").command("owner")(bench_owner_command)

"""Adds the commands of this layer to `calm`; each is a file here."""

from __future__ import annotations

import typer

from calm.cli.options import group_named
from envs.cli.bench_env import bench_env


def register(app: typer.Typer) -> None:
    """Adds the bench of this layer to the group `bench`."""
    group_named(app, "bench").command("env")(bench_env)

"""Adds the commands of this layer to `calm`; each is a file here."""

from __future__ import annotations

import typer

from calm.cli.groups import Groups
from envs.cli.bench_env import bench_env


def register(app: typer.Typer, groups: Groups) -> None:
    """Adds the bench of this layer to the group `bench`."""
    groups("bench").command("env")(bench_env)

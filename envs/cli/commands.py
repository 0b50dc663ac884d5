"""Adds the commands of this layer to `calm`; each is a file here."""

from __future__ import annotations

import typer

from calm.cli.groups import Groups
from envs.cli.bench_env import bench_env
from envs.cli.bench_student import bench_student
from envs.cli.survey import survey_command


def register(app: typer.Typer, groups: Groups) -> None:
    """Adds what can be said of tasks without an agent."""
    app.command("survey")(survey_command)
    groups("bench").command("env")(bench_env)
    groups("bench").command("student")(bench_student)

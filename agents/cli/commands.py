"""Adds the commands of this layer to `calm`; each is a file here."""

from __future__ import annotations

import typer

from agents.cli.bench_encoders import bench_encoders
from agents.cli.bench_gpu import bench_gpu
from agents.cli.bench_race import bench_race
from agents.cli.bench_study import bench_study
from agents.cli.bench_train import bench_train
from agents.cli.collect import collect
from agents.cli.data_build import data_build
from agents.cli.data_export import data_export
from agents.cli.demo import demo
from agents.cli.doctor import doctor
from agents.cli.encoders import encoders
from agents.cli.explain import explain
from agents.cli.hub_pull import hub_pull
from agents.cli.hub_push import hub_push
from agents.cli.players_train import players_train
from agents.cli.replay import replay
from agents.cli.report import report
from agents.cli.study import study
from agents.cli.train import train
from agents.cli.tune import tune
from agents.cli.watch import watch
from calm.cli.groups import Groups


def register(app: typer.Typer, groups: Groups) -> None:
    """Adds the commands of this layer to `app` and to `bench`, `data`, `hub`, `players`."""
    for command in (
        doctor, demo, collect, train, report, encoders, explain, replay, study, tune,
        watch,
    ):  # fmt: skip
        app.command()(command)
    groups("bench").command("train")(bench_train)
    groups("bench").command("encoders")(bench_encoders)
    groups("bench").command("study")(bench_study)
    groups("bench").command("gpu")(bench_gpu)
    groups("bench").command("race")(bench_race)
    groups("data").command("build")(data_build)
    groups("data").command("export")(data_export)
    groups("hub").command("push")(hub_push)
    groups("hub").command("pull")(hub_pull)
    groups("players").command("train")(players_train)

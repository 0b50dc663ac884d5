"""Adds the commands of this layer to `calm`; each is a file here."""

from __future__ import annotations

import typer

from agents.cli.bench_encoders import bench_encoders
from agents.cli.bench_train import bench_train
from agents.cli.collect import collect
from agents.cli.data_build import data_build
from agents.cli.demo import demo
from agents.cli.doctor import doctor
from agents.cli.encoders import encoders
from agents.cli.explain import explain
from agents.cli.players_train import players_train
from agents.cli.replay import replay
from agents.cli.report import report
from agents.cli.study import study
from agents.cli.train import train
from calm.cli.options import group_named


def register(app: typer.Typer) -> None:
    """Adds this layer's commands to `app` and its benches to the group `bench`."""
    for command in (
        doctor, demo, collect, train, report, encoders, explain, replay, study,
    ):  # fmt: skip
        app.command()(command)
    bench = group_named(app, "bench")
    bench.command("train")(bench_train)
    bench.command("encoders")(bench_encoders)
    data = group_named(app, "data", "The packaged labelled sets, and your own.")
    data.command("build")(data_build)
    players = group_named(app, "players", "Make the players that sets are played with.")
    players.command("train")(players_train)

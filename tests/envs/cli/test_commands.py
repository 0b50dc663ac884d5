"""What this layer adds to `calm`: benches, in a group that others add to as well."""

import typer

from envs.cli.bench_env import bench_env
from envs.cli.bench_student import bench_student
from envs.cli.commands import register


def test_the_benches_are_added_to_the_group() -> None:
    groups: dict[str, typer.Typer] = {}
    register(typer.Typer(), lambda name: groups.setdefault(name, typer.Typer()))
    commands = {c.name: c.callback for c in groups["bench"].registered_commands}
    assert commands == {"env": bench_env, "student": bench_student}

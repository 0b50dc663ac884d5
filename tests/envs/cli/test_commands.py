"""What this layer adds to `calm`: one command, in a group that others add to as well."""

import typer

from envs.cli.bench_env import bench_env
from envs.cli.commands import register


def test_the_bench_is_added_to_the_group() -> None:
    groups: dict[str, typer.Typer] = {}
    register(typer.Typer(), lambda name: groups.setdefault(name, typer.Typer()))
    (command,) = groups["bench"].registered_commands
    assert (command.name, command.callback) == ("env", bench_env)

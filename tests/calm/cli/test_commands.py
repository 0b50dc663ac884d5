"""The commands of this layer, by the names that people type."""

import typer
from typer.testing import CliRunner

from calm.cli.commands import register
from calm.cli.groups import Groups

NAMES = {
    "": {"decompose", "probe"},
    "store": {"stats", "why", "verify"},
    "models": {"list", "pull", "serve", "remove"},
    "bench": {"judge"},
    "owner": {"serve"},
}


def test_each_command_stands_in_its_group() -> None:
    app = typer.Typer()
    register(app, Groups(app))
    for group, names in NAMES.items():
        words = [group] if group else []
        listed = CliRunner().invoke(app, [*words, "--help"]).output
        for name in names:
            assert f" {name} " in listed, listed
    assert {g.name for g in app.registered_groups} == set(NAMES) - {""}

"""A group of commands is one, whichever layers add to it."""

import typer
from typer.testing import CliRunner

from calm.cli.groups import Groups


def _say(word: str) -> None:
    typer.echo(word)


def test_two_layers_add_to_one_group() -> None:
    app = typer.Typer()
    groups = Groups(app)
    groups("store").command("one")(lambda: _say("first"))
    groups("store").command("two")(lambda: _say("second"))
    assert [group.name for group in app.registered_groups] == ["store"]
    assert CliRunner().invoke(app, ["store", "one"]).stdout == "first\n"
    assert CliRunner().invoke(app, ["store", "two"]).stdout == "second\n"


def test_a_group_tells_what_it_is_for() -> None:
    app = typer.Typer()
    groups = Groups(app)
    groups("store").command("one")(lambda: _say("first"))
    groups("mine", "Commands of my own.").command("two")(lambda: _say("second"))
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert "Look into a store of answers" in shown
    assert "Commands of my own." in shown

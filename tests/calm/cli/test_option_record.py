"""A record of options stands on the command line where its parameter stands in the function."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from calm.cli.option_record import with_record


@dataclass(frozen=True)
class Size:
    """Two options."""

    wide: Annotated[int, typer.Option(help="Columns.")] = 2
    high: Annotated[int, typer.Option(help="Rows.")] = 3


def _app(*names: str) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @with_record("size", Size, names)
    def area(
        *,
        first: Annotated[int, typer.Option()] = 0,
        size: Size,
        last: Annotated[int, typer.Option()] = 0,
    ) -> None:
        """Print an area."""
        typer.echo(f"{first} {size.wide * size.high} {last}")

    return app


def test_fields_are_options_and_come_as_one_record() -> None:
    done = CliRunner().invoke(_app(), ["--wide", "5", "--last", "1"])
    assert (done.exit_code, done.output) == (0, "0 15 1\n")


def test_options_stand_in_the_order_of_the_parameters() -> None:
    lines = CliRunner().invoke(_app(), ["--help"]).output
    places = [lines.index(word) for word in ("--first", "--wide", "--high", "--last")]
    assert places == sorted(places)


def test_fields_that_are_not_named_keep_their_defaults() -> None:
    assert CliRunner().invoke(_app("wide"), ["--wide", "7"]).output == "0 21 0\n"
    assert CliRunner().invoke(_app("wide"), ["--high", "7"]).exit_code == 2

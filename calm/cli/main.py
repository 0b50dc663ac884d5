"""The `calm` command: gathers the commands of every installed layer and runs one.

Layers are found through the entry-point group `calm.commands`, each a function that takes the
Typer app and its groups and adds its commands, so this layer imports none above it.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from calm import __version__
from calm.cli import loading
from calm.cli.groups import Groups
from calm.errors import INTERRUPTED, TERMINATED, CalmError, UsageError, unknown
from calm.extras import advice_on_missing
from calm.interrupts import raise_swallowed_again, treat_sigterm_as_ctrl_c
from calm.plugins import entry_points_of
from calm.text import clean

EXIT_CODES = """
Exit codes: 0 done · 1 failed · 2 something named or written can't be used · 3 a budget or quota
was reached · 4 done, but some rows are unreadable · 5 the endpoint can't be used · 6 the store
can't be used · 7 the game can't be run · 130 interrupted by Ctrl-C, 143 by SIGTERM (everything done
so far is kept).
"""


def missing_layers(app: typer.Typer) -> Iterator[str]:
    """Adds every layer's commands to `app`; yields a line for each layer that can't be imported."""
    groups = Groups(app)
    for entry in entry_points_of("calm.commands"):
        try:
            register = entry.load()
        except ModuleNotFoundError as error:
            yield f"{entry.value.split(':')[0]} (no module {error.name!r})"
        else:
            register(app, groups)


def build() -> typer.Typer:
    """Returns the whole application, with what is not available named in its help."""

    class Commands(TyperGroup):
        """Says of an unknown command that it may be one of a layer that is not here."""

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            if missing and self.get_command(ctx, args[0]) is None:
                error = unknown("command", args[0], self.list_commands(ctx))
                raise UsageError(f"{error}. {unavailable}")
            return super().resolve_command(ctx, args)

    app = typer.Typer(
        name="calm",
        cls=Commands,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    missing = list(missing_layers(app))
    unavailable = (
        f"Not available here: {', '.join(missing)}. Run from a clone with `pip install -e '.[dev]'`"
        " to have them."
    )

    @app.callback(epilog=f"{EXIT_CODES}\n{unavailable}" if missing else EXIT_CODES)
    def calm(
        version: Annotated[
            bool,
            typer.Option("--version", callback=_show_version, is_eager=True, help="Show it."),
        ] = False,
    ) -> None:
        """Credit assignment with language models: judged subgoals as shaped reward."""

    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"calm {__version__}")
        raise typer.Exit


def main() -> None:
    """Runs `calm`; an error raised on purpose becomes one message on stderr and its exit code.

    So does a file that can't be read or written, and a package that is not installed; a warning is
    one line too. SIGTERM stops a command as Ctrl-C does.
    """
    warnings.showwarning = _warn
    _print_anywhere()
    signals: list[int] = []
    try:
        loading.raise_at_a_signal()
        treat_sigterm_as_ctrl_c(signals)
        raise_swallowed_again()
        build()(standalone_mode=True)
    except CalmError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if (advice := advice_on_missing(error)) is None:
            raise
        _say(advice)
        sys.exit(UsageError.exit_code)
    except ImportError as error:
        if not isinstance(error.__cause__, KeyboardInterrupt):  # as pybind11's modules raise it
            raise
        _end_interrupted(signals)
    except OSError as error:
        named = error.filename is not None
        _say(f"can't use {error.filename}: {error.strerror}" if named else str(error))
        sys.exit(UsageError.exit_code if named else CalmError.exit_code)
    except KeyboardInterrupt:  # while importing
        _end_interrupted(signals)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what Typer makes of Ctrl-C
            _end_interrupted(signals)
        raise


def _print_anywhere() -> None:
    """Makes a terminal or file of another encoding than UTF-8 show `?` for what it does not have.

    Without this, a command ends in a UnicodeEncodeError after its work is done. A width of 0 is
    none.
    """
    if os.environ.get("COLUMNS") == "0":
        del os.environ["COLUMNS"]  # a terminal of unknown size, where rich would print nothing
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # tests put other objects there
            stream.reconfigure(errors="replace")


def _end_interrupted(signals: list[int]) -> None:
    Console(stderr=True).print(Text("calm: interrupted; everything done so far is kept."))
    sys.exit(TERMINATED if signals else INTERRUPTED)


def _say(text: str, style: str = "red") -> None:
    # An endpoint's or a file's words may be in it.
    Console(stderr=True).print(Text(f"calm: {clean(text)}", style=style), soft_wrap=True)


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    _say(f"warning: {message}", "yellow")


if __name__ == "__main__":
    main()

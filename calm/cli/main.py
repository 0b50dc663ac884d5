"""The `calm` command: gathers the subcommands of every installed layer and runs one.

Layers are found through the entry-point group `calm.commands`, each a function that takes the
Typer app and adds its commands, so this layer imports none above it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from calm.errors import INTERRUPTED, CalmError, UsageError
from calm.plugins import entry_points_of

EXIT_CODES = """
Exit codes: 0 done · 1 failed · 2 something named or written can't be used · 3 a budget or quota
was reached · 4 done, but some rows are unreadable · 5 the endpoint can't be used · 6 the store
can't be used · 7 the game can't be run · 130 interrupted (everything done so far is kept).
"""


def missing_layers(app: typer.Typer) -> Iterator[str]:
    """Adds every layer's commands to `app`; yields a line for each layer that can't be imported."""
    for entry in entry_points_of("calm.commands"):
        try:
            register = entry.load()
        except ModuleNotFoundError as error:
            yield f"{entry.value.split(':')[0]} (no module {error.name!r})"
        else:
            register(app)


def build() -> typer.Typer:
    """The whole application, with what is not available named in its help."""
    app = typer.Typer(
        name="calm",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    missing = list(missing_layers(app))
    epilog = EXIT_CODES
    if missing:
        epilog += (
            "\nNot available here: "
            + ", ".join(missing)
            + ". Run from a clone with `pip install -e '.[dev]'` to have them."
        )

    @app.callback(epilog=epilog)
    def calm() -> None:
        """Credit assignment with language models: judged subgoals as shaped reward."""

    return app


def main() -> None:
    """Runs `calm`; an error raised on purpose becomes one message on stderr and its exit code.

    So does a file that can't be read or written, and a warning is one line too.
    """
    warnings.showwarning = _warn
    try:
        build()(standalone_mode=True)
    except CalmError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        named = error.filename is not None
        _say(f"can't use {error.filename}: {error.strerror}" if named else str(error))
        sys.exit(UsageError.exit_code if named else CalmError.exit_code)
    except KeyboardInterrupt:  # while importing
        _interrupted()
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what Typer makes of Ctrl-C
            _interrupted()
        raise


def _say(text: str, style: str = "red") -> None:
    from calm.text import clean  # an endpoint's or a file's words may be in it

    Console(stderr=True).print(Text(f"calm: {clean(text)}", style=style), soft_wrap=True)


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    _say(f"warning: {message}", "yellow")


def _interrupted() -> None:
    Console(stderr=True).print(Text("calm: interrupted; everything done so far is kept."))


if __name__ == "__main__":
    main()

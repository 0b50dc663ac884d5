"""What the commands of all layers share: their common options, and how a bench is shown."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from calm.errors import UsageError

StoreOption = Annotated[
    Path, typer.Option("--store", help="SQLite file that keeps every answer; made if missing.")
]
KeptStoreOption = Annotated[
    Path, typer.Option("--store", help="SQLite file of answers; it must be there.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        help="Address of an OpenAI-compatible endpoint, such as http://localhost:8000/v1.",
        envvar="OPENAI_BASE_URL",
        show_envvar=True,
    ),
]
KeyEnv = Annotated[
    str, typer.Option(help="Environment variable that holds the key; never the key itself.")
]
Quick = Annotated[bool, typer.Option(help="Less work in less time; figures are rougher.")]

bench_app = typer.Typer(
    no_args_is_help=True,
    help="Compare on the same work in one run: ours beside what one would use otherwise.",
)
"""Every layer adds its own: `bench_app.command("env")(function)` in its `register`."""


def group_named(app: typer.Typer, name: str, about: str) -> typer.Typer:
    """The group of commands `name` in `app`, made where no layer has added it yet."""
    for registered in app.registered_groups:
        if registered.name == name and registered.typer_instance is not None:
            return registered.typer_instance
    group = typer.Typer(no_args_is_help=True, help=about)
    app.add_typer(group, name=name)
    return group


Bench = Callable[[Callable[[str], None]], Mapping[str, Any]]
"""Runs a bench, telling what is being measured, and returns DESIGN's object of rows and ratios."""


def check_writable(path: Path) -> None:
    """Makes the folder of a file that is to be written once all is done, and tries to write there.

    The trial has the name that a table has until it is whole (`data.parquet`), the longest there
    is, and is gone at once. A file that is there already is not touched.

    Raises:
        UsageError: it is a folder, or can't be written; better said before the work.
    """
    try:
        if path.is_dir():
            raise UsageError(f"can't write {path}: it is a folder; name a file with --out")
        path.parent.mkdir(parents=True, exist_ok=True)
        trial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        trial.touch()
        trial.unlink()
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    except OSError as error:
        inside = Path(error.filename).parent == path.parent  # the file's own name, or the trial's
        at = "" if inside else f"{error.filename}: "
        raise UsageError(
            f"can't write {path}: {at}{error.strerror}; name another file with --out"
        ) from None


def run_bench(bench: Bench, as_json: bool) -> None:
    """Runs a bench with a line that says what it does, and prints its table or its JSON.

    One that was stopped by Ctrl-C and kept what it had is printed, and ends as Ctrl-C does.
    """
    with Console(stderr=True, highlight=False).status("starting") as status:
        found = bench(lambda line: status.update(Text(line)))
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        _show(found)
    if found.get("stopped"):
        raise KeyboardInterrupt


def _show(found: Mapping[str, Any]) -> None:
    some = {key for row in found["rows"] for key in row}
    task, peak = (["task"] if "task" in some else []), (["peak MiB"] if "peak_mib" in some else [])
    columns = ("what", *task, "median", "unit", "least", "most", *peak)
    table = Table(*columns, title=f"calm bench {found['bench']}")
    for row in found["rows"]:
        figures = (f"{row['value']:,.4g}", row["unit"], f"{row['min']:,.4g}", f"{row['max']:,.4g}")
        most = f"{row['peak_mib']:,.1f}" if "peak_mib" in row else ""
        cells = (row["name"], *([row["task"]] if task else []), *figures, *([most] if peak else []))
        table.add_row(*map(Text, cells))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for name, ratio in found["ratios"].items():
        console.print(Text(f"{name:24} {ratio:.4g}"))
    for name in found.get("missing", ()):
        console.print(Text(f"not installed here, so left out: {name}"))
    for line in found.get("left_out", ()):
        console.print(Text(f"left out: {line}"))

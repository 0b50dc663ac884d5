"""Says what is waited for, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text


@contextmanager
def waiting(console: Console, what: str) -> Iterator[None]:
    """Shows `what` with the time since it began while the block runs.

    On a terminal the line counts up and is gone at the end; in a log it is one line at the start.
    """
    if not console.is_terminal:
        console.print(Text(f"{what} ..."), soft_wrap=True)
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task(what)
        yield

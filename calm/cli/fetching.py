"""Shows a download: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

Tell = Callable[[str], None]
Step = Callable[[str, int, int], None]


@contextmanager
def fetching() -> Iterator[tuple[Tell, Step]]:
    """Yields what shows a line, and what shows how many bytes of how many of something are here.

    All goes to the standard error stream.
    """
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    bars = Progress(*columns, TransferSpeedColumn(), console=console, transient=True)
    bar = bars.add_task("download", total=None, visible=False)
    last_line_at = time.monotonic()

    def tell(line: str) -> None:
        console.print(Text(line), soft_wrap=True)

    def step(what: str, done: int, total: int) -> None:
        nonlocal last_line_at
        bars.update(bar, description=what, completed=done, total=total, visible=True)
        if not console.is_terminal and time.monotonic() - last_line_at > 5:
            last_line_at = time.monotonic()
            tell(f"{what}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    if console.is_terminal:
        with bars:
            yield tell, step
    else:
        yield tell, step

"""How far a model has come, on stderr: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from calm.annotation.many import progress_line
from calm.asking.tally import Tally
from calm.records import Usage

EVERY = 10.0
"""Seconds between two lines of a log."""


class Watch:
    """Shows the judges that are asked, one line each; a context manager.

    Args:
        console: on stderr.
        every: seconds between lines where the console is no terminal.
    """

    def __init__(self, console: Console, every: float = EVERY) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=8),
            TextColumn("{task.fields[line]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._console = console
        self._every = every

    def line(self, name: str) -> Callable[[Tally, Usage], None]:
        """A line of its own; call it with the tally and what was spent, as often as you like.

        A tally that has less done than the one before it begins another piece of the work, such as
        another task: the line goes on with the new one.
        """
        bar: TaskID | None = None
        since = shown = time.monotonic()
        done_before = 0

        def show(tally: Tally, usage: Usage) -> None:
            nonlocal bar, since, shown, done_before
            now, done = time.monotonic(), tally.hits + tally.answered
            if done < done_before:
                since = now
            done_before = done
            terminal = self._console.is_terminal
            wait = 0.1 if terminal else self._every
            if now - shown < wait and not (terminal and done == tally.questions):
                return
            shown = now
            text = progress_line(tally, usage, now - since)
            if terminal:
                if bar is None:
                    bar = self._bars.add_task(name, total=None, line="")
                self._bars.update(bar, completed=done, total=tally.questions, line=text)
            else:
                self._console.print(Text(f"{name}: {text}"), soft_wrap=True)

        return show

    def __enter__(self) -> Watch:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

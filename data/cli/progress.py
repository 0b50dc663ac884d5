"""How far a model has come, on stderr: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from calm.annotation.many import progress_line
from calm.asking.tally import Tally
from calm.records import Usage

EVERY = 10.0
"""Seconds between two lines of a log."""


class Watch:
    """Shows the judges that are asked, one line each; a context manager.

    Nothing stays silent: a judge is named as soon as it is asked, and while no answer comes a
    terminal shows the time that passes, a log how long the wait has been.

    Args:
        console: on stderr.
        every: seconds between lines where the console is no terminal.
    """

    def __init__(self, console: Console, every: float = EVERY) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=8),
            TimeElapsedColumn(),
            TextColumn("{task.fields[line]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._console = console
        self._every = every
        self._waiting = ""
        """The last line on a judge that is not done; empty if all are."""
        self._last_line_at = time.monotonic()
        self._since_answer = time.monotonic()
        self._end = Event()
        self._reminder = Thread(target=self._remind, daemon=True)

    def line(self, name: str) -> Callable[[Tally, Usage], None]:
        """Opens a line of its own; returns what to call with the tally and what was spent so far.

        A tally that has less done than the one before it begins another piece of the work, such as
        another task: the line then shows the new one.
        """
        bar: TaskID | None = None
        since = shown = -float("inf")
        done_before = 0

        def show(tally: Tally, usage: Usage) -> None:
            nonlocal bar, since, shown, done_before
            now, done = time.monotonic(), tally.hits + tally.answered
            if done < done_before or shown < 0:
                since = now
            if done != done_before:
                self._since_answer = now
            done_before = done
            terminal = self._console.is_terminal
            text = progress_line(tally, usage, now - since)
            self._waiting = f"{name}: {text}" if done < tally.questions else ""
            wait = 0.1 if terminal else self._every
            if now - shown < wait and not (terminal and done == tally.questions):
                return
            shown = self._last_line_at = now
            if terminal:
                if bar is None:
                    bar = self._bars.add_task(name, total=None, line="")
                self._bars.update(bar, completed=done, total=tally.questions, line=text)
            else:
                self._console.print(Text(f"{name}: {text}"), soft_wrap=True)

        return show

    def _remind(self) -> None:
        """Writes how long an answer has been waited for, where a log had no line for a while."""
        while not self._end.wait(self._every / 2):
            now = time.monotonic()
            if self._waiting and now - self._last_line_at >= self._every:
                self._last_line_at = now
                waited = f"no answer for {now - self._since_answer:.0f} s"
                self._console.print(Text(f"{self._waiting} · {waited}"), soft_wrap=True)

    def __enter__(self) -> Watch:
        self._bars.start()
        if not self._console.is_terminal:
            self._reminder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._bars.stop()

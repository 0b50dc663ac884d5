"""How far a model has come, on stderr: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from calm.annotation.many import progress_line
from calm.asking.asker import Tally
from calm.judges.openai import OpenAIJudge
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
        told = (
            TextColumn(name, markup=False) for name in ("{task.description}", "{task.fields[t]}")
        )
        name, line = told
        self._bars = Progress(
            name,
            BarColumn(bar_width=8),
            line,
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._console = console
        self._every = every
        self.answered = 0
        """Questions that an endpoint has answered so far."""

    def line(self, name: str) -> Callable[[Tally, Usage], None]:
        """A line of its own; call it with the tally and what was spent, as often as you like."""
        bar: TaskID | None = None
        since = told = time.monotonic()
        before = 0

        def show(tally: Tally, usage: Usage) -> None:
            nonlocal bar, told, before
            self.answered += tally.answered - before
            before = tally.answered
            now, done = time.monotonic(), tally.hits + tally.answered
            terminal, wait = (
                self._console.is_terminal,
                0.1 if self._console.is_terminal else self._every,
            )
            if now - told < wait and not (terminal and done == tally.questions):
                return
            told = now
            text = progress_line(tally, usage, now - since)
            if self._console.is_terminal:
                if bar is None:
                    bar = self._bars.add_task(name, total=None, t="")
                self._bars.update(bar, completed=done, total=tally.questions, t=text)
            else:
                self._console.print(Text(f"{name}: {text}"), soft_wrap=True)

        return show

    def judge(self, name: str, judge: object) -> None:
        """Watches a judge that asks an endpoint; others need no waiting."""
        if isinstance(judge, OpenAIJudge):
            asked, show = judge, self.line(name)
            judge.asker.on_progress = lambda tally: show(tally, asked.usage)

    def __enter__(self) -> Watch:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

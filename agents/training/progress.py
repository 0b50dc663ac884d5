"""Shows the progress of training runs in the terminal: a line a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from agents.training.executor import Executor, train_all
from agents.training.run.folder import Run
from agents.training.run.status import TrainingStatus
from calm.annotation.many import rate_in_words

MOST_BARS = 6
"""Runs that have a bar each; of more, only those at work have one."""
LOG_WAITING_EVERY = 10.0
"""Seconds between two lines about waiting in a log."""
BAR_WIDTH = 8
"""Columns of a bar."""
LEAST_ROOM = len("1,000,000 of 1,000,000 steps  success 100%")
"""Columns beside name and bar that a name leaves free."""
MIN_LABEL = 12
"""Columns that a name has at least."""


def time_left(status: TrainingStatus) -> str:
    """Returns the time until the last step at the rate so far, as M:SS."""
    if not status.steps:
        return "-:--"
    todo = max(0, status.total - status.steps)
    left = int(todo / max(status.steps_per_second, 1e-9))
    return f"{left // 60}:{left % 60:02d}"


def train_with_progress(
    runs: Sequence[Run],
    executor: Executor,
    *,
    console: Console,
    labels: Sequence[str] | None = None,
    retries: int = 0,
    on_end: Callable[[int], None] = lambda _i: None,
) -> None:
    """Trains `runs` and shows, for each, steps, success on held-out levels and time left.

    Where there are many, only those at work are shown, and how many have ended. In a log, which has
    no bars, each run has a line every tenth of its steps, and while it waits for a judge one every
    ten seconds at most.

    Args:
        labels: of the runs, in their order; their names by default.

    The others are those of `train_all`, and so are the errors.
    """
    many = len(runs) > MOST_BARS
    names = list(labels or [run.config.name for run in runs])
    widest = max(MIN_LABEL, console.width - BAR_WIDTH - LEAST_ROOM - 2)
    shown_names = [shortened(name, widest) for name in names]
    width = max(map(len, shown_names))
    room = console.width - BAR_WIDTH - width - 2
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=BAR_WIDTH),
        TextColumn("{task.fields[text]}", markup=False),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars = [
            progress.add_task(
                name.ljust(width), total=run.config.total_steps, text="starting", visible=not many
            )
            for name, run in zip(shown_names, runs, strict=True)
        ]

        def ended_runs(count: int) -> str:
            return f"{count} of {len(runs)} runs"

        whole = progress.add_task(
            "all".ljust(width), total=len(runs), text=ended_runs(0), visible=many
        )
        logged = [0.0] * len(runs)
        """Share of each run's steps at its last line in a log that was not about waiting."""
        logged_at = [time.monotonic()] * len(runs)
        """When each run had its last line in a log."""

        def show(i: int, status: TrainingStatus) -> None:
            parts = figures(status)
            steps = min(status.steps, status.total)
            progress.update(bars[i], completed=steps, text=fitting(parts, room), visible=True)
            share, now = steps / status.total, time.monotonic()
            waits = bool(status.waiting) and now - logged_at[i] >= LOG_WAITING_EVERY
            if not console.is_terminal and (waits or share >= logged[i] + 0.1):
                logged[i], logged_at[i] = logged[i] if waits else share, now
                console.print(Text(f"{names[i]}: {'  '.join(parts)}"), soft_wrap=True)

        def end(i: int) -> None:
            progress.update(bars[i], visible=not many)
            progress.advance(whole)
            progress.update(whole, text=ended_runs(int(progress.tasks[whole].completed)))
            on_end(i)

        def lose(i: int, reason: str) -> None:
            progress.update(bars[i], text="waiting")
            console.print(
                Text(f"{names[i]}: {reason}; it resumes from its last checkpoint"), soft_wrap=True
            )

        train_all(runs, executor, retries=retries, on_progress=show, on_end=end, on_lost=lose)


def figures(status: TrainingStatus) -> list[str]:
    """Returns steps, success, time left, rate and questions of a run, most important first."""
    questions = f"asked {status.questions}" if status.questions else ""
    if status.pending:
        questions += f", {status.pending} pending"
    if status.by_student:
        questions += f", {status.by_student} answered by the student"
    parts = [f"{min(status.steps, status.total):,} of {status.total:,} steps"]
    if status.waiting:
        parts.append(waiting_in_words(status))
    else:
        success = "-" if status.success is None else f"{status.success:.0%}"
        parts += [
            f"success {success}",
            f"left {time_left(status)}",
            f"{status.steps_per_second:,.0f} steps/s",
        ]
    return [*parts, questions] if questions else parts


def waiting_in_words(status: TrainingStatus) -> str:
    """Returns how long training has waited for the judge, and how many answers have come.

    >>> waiting_in_words(TrainingStatus(0, 9, 0, None, 0, 0, 31.4, 12, 45, 0.52))
    'waiting for the judge for 31 s: 12 of 45 answers, 0.52/s'
    """
    line = f"waiting for the judge for {status.waiting:.0f} s"
    if not status.to_answer:
        return line
    rate = rate_in_words(status.answers_per_second)
    return f"{line}: {status.answered} of {status.to_answer} answers, {rate}"


def fitting(parts: Sequence[str], room: int) -> str:
    """Joins as many of the parts as fit into `room` columns, in order, the first always."""
    line = parts[0]
    for part in parts[1:]:
        if len(line) + 2 + len(part) > room:
            break
        line += "  " + part
    return line


def shortened(name: str, width: int) -> str:
    """Shortens a name to `width` characters: of a longer one the beginning and the end."""
    if len(name) <= width:
        return name
    end = (width - 1) // 2
    return name[: width - 1 - end] + "…" + name[-end:]

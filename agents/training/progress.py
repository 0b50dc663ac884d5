"""Progress of training runs in the terminal: a line a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from agents.training.parallel import train_all
from agents.training.run_folder import Run
from agents.training.train import Progress as Standing

MOST_BARS = 6
"""Runs that have a bar each; of more, only those at work have one."""


def time_left(standing: Standing) -> str:
    """Minutes and seconds until the last step at the rate so far."""
    if not standing.steps:
        return "-:--"
    todo = max(0, standing.total - standing.steps)
    left = int(todo / max(standing.steps_per_second, 1e-9))
    return f"{left // 60}:{left % 60:02d}"


def train_with_progress(
    runs: Sequence[Run],
    *,
    store: Path | None,
    base_url: str | None,
    console: Console,
    labels: Sequence[str] | None = None,
    at_once: int | None = None,
    on_end: Callable[[int], None] = lambda _i: None,
) -> None:
    """Trains `runs` and shows, for each, steps/s, success on held-out levels and time left.

    Where there are many, only those at work are shown, and how many have ended.
    """
    many = len(runs) > MOST_BARS
    columns = (
        # Narrow enough for a terminal of 80 columns; what matters least comes last.
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=8),
        TextColumn("{task.fields[told]}", markup=False),
    )
    names = labels or [run.config.name for run in runs]
    width = max(len(name) for name in names)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars = [
            progress.add_task(
                name.ljust(width), total=run.config.steps, told="starting", visible=not many
            )
            for name, run in zip(names, runs, strict=True)
        ]
        whole = progress.add_task("all".ljust(width), total=len(runs), told="", visible=many)

        said = [0.0] * len(runs)

        def show(i: int, standing: Standing) -> None:
            success = "-" if standing.success is None else f"{standing.success:.0%}"
            asked = f"  asked {standing.asked}" if standing.asked else ""
            if standing.pending:
                asked += f", {standing.pending} pending"
            told = (
                f"{standing.steps_per_second:,.0f} steps/s  success {success}"
                f"  left {time_left(standing)}{asked}"
            )
            if standing.waiting:
                told = f"waiting for the judge for {standing.waiting:.0f} s{asked}"
            done = min(standing.steps, standing.total)
            progress.update(bars[i], completed=done, told=told, visible=True)
            if not console.is_terminal and done / standing.total >= said[i] + 0.1:
                said[i] = done / standing.total  # a log has no bars: a line every tenth
                line = Text(f"{names[i]}: {done:,} of {standing.total:,} steps  {told}")
                console.print(line, soft_wrap=True)

        def end(i: int) -> None:
            progress.update(bars[i], visible=not many)
            progress.advance(whole)
            ended = int(progress.tasks[whole].completed)
            progress.update(whole, told=f"{ended} of {len(runs)} runs")
            on_end(i)

        train_all(
            runs, store=store, base_url=base_url, at_once=at_once, on_progress=show, on_end=end
        )

"""Runs a study: trains the cells that are not done, stores their results, writes the report.

An interrupted study is resumed from finished cells in the results' folder, and from the checkpoints
of cells that were begun.

    OUT/cells/TASK/ARM/seedN/   a run each
    OUT/results/                results of finished cells, figures, tables
    OUT/report.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from agents.study.page import write_study
from agents.study.plan import Cell, Plan
from agents.study.results import Result, read_results, result_of, write_results
from agents.training.config import TrainConfig
from agents.training.folder_lock import owned
from agents.training.progress import train_with_progress
from agents.training.run_folder import Run
from calm.cli.waiting import waiting
from calm.errors import CalmError, UsageError
from calm.local.weights import find_path


@dataclass(frozen=True)
class Order:
    """What part of a study to run, and how."""

    seeds: int = 5
    """Of each task and arm."""
    first_seed: int = 0
    """The seeds count up from it."""
    tasks: Sequence[str] = ()
    """Empty for all."""
    arms: Sequence[str] = ()
    """Empty for all but those whose judge is a local model that is not here."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Settings of all cells, instead of the plan's."""
    at_once: int | None = None
    """Cells trained side by side; None for one a core."""
    train: bool = True
    """False writes the report of the finished cells alone."""
    replace: bool = False
    """Leave out finished cells that were trained with other settings than the plan's."""


def run_study(
    plan: Plan,
    order: Order,
    out: Path,
    *,
    results: Path | None = None,
    base_url: str | None = None,
    command: str = "",
    console: Console | None = None,
) -> Path:
    """Trains what is left of the cells ordered and returns the report's path.

    Args:
        plan: the whole study; the report shows all of its finished cells.
        order: what part of it to train.
        out: folder of the runs and the report.
        results: folder of finished cells' results, read first and added to; OUT/results by default.
        base_url: the endpoint of `openai:` judges.
        command: the command line of the study, for the report.
        console: where progress is shown.

    Raises:
        UsageError: cells were trained with other settings than those planned, or another process
            trains in the folder.
        CalmError: a cell failed, after the others; or there is nothing to report.
        KeyboardInterrupt: after checkpoints, results and report are written.
    """
    with owned(out) if order.train else nullcontext():
        console = console or Console(stderr=True, quiet=True)
        return _run_study(plan, order, out, results or out / "results", base_url, command, console)


def _run_study(
    plan: Plan,
    order: Order,
    out: Path,
    results: Path,
    base_url: str | None,
    command: str,
    console: Console,
) -> Path:
    cells = plan.cells(order.seeds, order.tasks, order.arms, order.first_seed)
    done_cells = _finished(plan, order, results)
    if order.train and not order.arms:
        absent = _absent_models(plan, {cell.arm: cell for cell in cells if cell not in done_cells})
        for arm, reason in absent.items():
            console.print(Text(f"Left out is the arm {arm}: {reason}"))
        cells = [cell for cell in cells if cell in done_cells or cell.arm not in absent]
    runs: dict[Cell, Run] = {}
    for cell in cells:
        if cell in done_cells:
            continue
        run = _run(out / "cells" / str(cell), plan.config(cell, order.overrides), order.train)
        if run is not None:
            runs[cell] = run
    finished = {cell: done for cell, run in runs.items() if (done := result_of(run, cell))}
    if finished:
        done_cells |= finished
        write_results(results, done_cells.values())
    todo = [cell for cell in runs if cell not in finished]
    console.print(
        Text(f"{len(cells)} cells: {len(cells) - len(todo)} done, {len(todo)} to train.")
        if order.train
        else Text(f"{len(cells)} cells, {sum(c in done_cells for c in cells)} done.")
    )

    def keep(i: int) -> None:
        done = result_of(runs[todo[i]], todo[i])
        if done is not None:
            # Another study may have added cells to the same folder since.
            done_cells.update(_fitting(plan, order, results)[0] | done_cells | {todo[i]: done})
            write_results(results, done_cells.values())

    report = out / "report.html"
    try:
        if todo and order.train:
            train_with_progress(
                [runs[cell] for cell in todo],
                store=out / "store.sqlite",
                base_url=base_url,
                console=console,
                labels=[str(cell) for cell in todo],
                at_once=order.at_once,
                on_end=keep,
            )
    finally:
        if done_cells:
            with waiting(console, f"tables and figures of {len(done_cells)} cells"):
                write_study(plan, list(done_cells.values()), results, report, command)
    if not done_cells:
        raise CalmError(f"no cell of {plan.name} is finished yet, so there is nothing to report")
    return report


def _absent_models(plan: Plan, cells: Mapping[str, Cell]) -> dict[str, str]:
    """Returns by arm why the language model that judges it is not on this machine.

    Args:
        cells: one of each arm.
    """
    reasons = {}
    for arm, cell in cells.items():
        kind, _, model = plan.config(cell).judge.partition(":")
        if kind == "local":
            try:
                find_path(model)
            except UsageError as error:
                reasons[arm] = str(error)
    return reasons


def _finished(plan: Plan, order: Order, folder: Path) -> dict[Cell, Result]:
    """Returns finished cells, all with the planned settings: else arms could not be compared.

    Raises:
        UsageError: some have others, and the order does not leave them out.
    """
    done_cells, others = _fitting(plan, order, folder)
    if others and not order.replace:
        raise UsageError(
            f"{folder} keeps cells trained with other settings than those planned:"
            f" {_few(others)}; name another folder with --results, or leave these out with"
            " --replace"
        )
    return done_cells


def _fitting(plan: Plan, order: Order, folder: Path) -> tuple[dict[Cell, Result], list[str]]:
    """Returns finished cells with the settings planned, and what differs in the others, in words.

    An order's settings hold for all cells of its tasks, so that budgets stay equal on a task.
    """
    done_cells = {}
    others = []
    for cell, result in read_results(folder).items():
        if cell.task not in plan.tasks or cell.arm not in plan.arms:
            others.append(f"{cell} (not in the plan)")
            continue
        ordered = not order.tasks or cell.task in order.tasks
        planned = plan.config(cell, order.overrides if ordered else None)
        if result.fits(planned):
            done_cells[cell] = result
        else:
            others.append(f"{cell} ({_differing(result.config, planned)})")
    return done_cells, others


def _run(folder: Path, planned: TrainConfig, create: bool) -> Run | None:
    """Returns the run of a cell, new or begun with the same settings; None if it may not be made.

    A run that was begun with fewer steps is lengthened.

    Raises:
        UsageError: it was begun with other settings, or can't be lengthened.
    """
    if not (folder / "config.yaml").exists():
        return Run.create(folder, planned) if create else None
    run = Run.open(folder)
    begun_with = run.config
    longer = begun_with.model_copy(update={"steps": planned.steps})
    if longer == planned and begun_with.steps < planned.steps:
        run.lengthen(planned.steps)
    elif begun_with != planned:
        differing = _differing(begun_with.model_dump(mode="json"), planned)
        raise UsageError(
            f"{folder} was begun with other settings than those planned ({differing}); remove it,"
            " or name another folder with --out"
        )
    return run


def _differing(begun_with: Mapping[str, Any], planned: TrainConfig) -> str:
    """Returns the settings that differ, with both values, in words."""
    values = planned.model_dump(mode="json")
    return ", ".join(
        f"{name}: {begun_with.get(name)}, now {value}"
        for name, value in values.items()
        if name in begun_with and begun_with[name] != value
    )


def _few(names: Iterable[str], most: int = 5) -> str:
    """Returns the first names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return "; ".join(listed[:most]) + more

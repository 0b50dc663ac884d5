"""Runs a study: trains the cells that are not done, stores their results, writes the report.

An interrupted study is resumed from finished cells in the results' folder, and from the checkpoints
of cells that were begun.

    OUT/cells/TASK/ARM/seedN/   a run each
    OUT/results/                results of finished cells, figures, tables
    OUT/report.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agents.bonus.make import make_bonus
from agents.study.done_cells import DoneCells, differing
from agents.study.order import Order
from agents.study.page import write_study
from agents.study.plan import Cell, Plan
from agents.study.results import INDEX, result_of
from agents.study.tables import fmt_count
from agents.training.executor import Executor
from agents.training.parallel import LocalProcesses
from agents.training.progress import train_with_progress
from agents.training.run.folder import Run
from agents.training.run.lock import owned, owned_in_turn
from agents.training.settings.config import TrainConfig
from calm.cli.waiting import waiting
from calm.errors import CalmError, UsageError
from calm.files import check_writable
from calm.judges import teacher_of
from calm.local.weights import find_path


def run_study(
    plan: Plan,
    order: Order,
    out: Path,
    *,
    results: Path | None = None,
    executor: Executor | None = None,
    command: str = "",
    console: Console | None = None,
) -> Path:
    """Trains what is left of the cells ordered and returns the report's path.

    Args:
        plan: the whole study; the report shows all of its finished cells.
        order: what part of it to train.
        out: folder of the runs and the report.
        results: folder of finished cells' results, read first and added to; OUT/results by default.
        executor: trains the cells; by default processes of this machine, one a core.
        command: the command line of the study, for the report.
        console: where progress is shown.

    Raises:
        UsageError: cells were trained with other settings than those planned, or another process
            trains in the folder.
        CalmError: a cell failed, after the others; or there is nothing to report.
        KeyboardInterrupt: after checkpoints, results and report are written.
    """
    executor = executor or LocalProcesses(out / "store.sqlite")
    console = console or Console(stderr=True, quiet=True)
    results = results or out / "results"
    in_turn: Callable[[], AbstractContextManager[None]] = nullcontext
    with ExitStack() as whole:
        if order.train and order.shared:
            in_turn = partial(owned_in_turn, out)
        elif order.train:
            whole.enter_context(owned(out))
        if order.train:  # what could not be kept is better said before the work
            check_writable(results / INDEX, "--results", "folder")
        with in_turn():
            done = DoneCells(plan, order, results)
            runs = _begun(plan, order, out, done, console)
        cells, report = list(runs), out / "report.html"

        def keep(i: int) -> None:
            result = result_of(runs[cells[i]], cells[i])
            if result is not None:
                done.add({cells[i]: result})

        try:
            if runs and order.train:
                train_with_progress(
                    list(runs.values()),
                    executor,
                    console=console,
                    labels=[str(cell) for cell in cells],
                    retries=order.retries,
                    on_end=keep,
                )
        finally:
            with in_turn():
                is_new = done.write() or not report.exists() or not order.shared
                if done.results and is_new:
                    with waiting(console, f"tables and figures of {len(done.results)} cells"):
                        write_study(plan, list(done.results.values()), results, report, command)
    if not done.results:
        raise CalmError(f"no cell of {plan.name} is finished yet, so there is nothing to report")
    return report


def _begun(
    plan: Plan, order: Order, out: Path, done: DoneCells, console: Console
) -> dict[Cell, Run]:
    """Returns the runs of the cells that are still to be trained, and says how many there are.

    A cell whose run has come to its last step is added to those done.

    Raises:
        UsageError: a setting of the order changes nothing in any cell, an arm that it names needs a
            package that is not here, or a cell was begun with other settings.
    """
    configs = order.configs(plan)
    cells = list(configs)
    to_do = {cell.arm: config for cell, config in configs.items() if cell not in done.results}
    if order.train and order.arms:  # a local model may be on the machine that trains them
        for config in to_do.values():
            _check_bonus(config)
    elif order.train:
        absent = _unavailable(to_do)
        for arm, reason in absent.items():
            console.print(Text(f"Left out is the arm {arm}: {reason}"))
        cells = [cell for cell in cells if cell in done.results or cell.arm not in absent]
    runs: dict[Cell, Run] = {}
    for cell in cells:
        if cell in done.results:
            continue
        run = _run(out / "cells" / str(cell), configs[cell], order.train)
        if run is not None:
            runs[cell] = run
    finished = {cell: result for cell, run in runs.items() if (result := result_of(run, cell))}
    done.add(finished)
    done.write()
    runs = {cell: run for cell, run in runs.items() if cell not in finished}
    console.print(
        Text(
            f"{fmt_count(len(cells), 'cell')}: {len(cells) - len(runs)} done, {len(runs)} to train."
        )
        if order.train
        else Text(f"{fmt_count(len(cells), 'cell')}, {sum(c in done.results for c in cells)} done.")
    )
    return runs


def _check_bonus(config: TrainConfig) -> None:
    """Raises a UsageError where the bonus needs a package that is not installed."""
    make_bonus(config.bonus, config.n_steps, config.seed)


def _unavailable(configs: Mapping[str, TrainConfig]) -> dict[str, str]:
    """Returns by arm what it needs and this machine lacks: a local model, or a bonus's package.

    Args:
        configs: of one cell of each arm.
    """
    reasons = {}
    for arm, config in configs.items():
        kind, _, model = teacher_of(config.judge).partition(":")
        try:
            _check_bonus(config)
            if kind == "local":
                find_path(model)
        except UsageError as error:
            reasons[arm] = str(error)
    return reasons


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
        to_the_end = planned.has_schedule and planned.schedule_steps is None
        if to_the_end and run.checkpoint_path.exists():
            raise UsageError(
                f"{folder} was begun with a schedule to its last step, {begun_with.steps:,}: for"
                f" {planned.steps:,} steps all of its training would have been another; remove it,"
                " or name another folder with --out"
            )
        run.lengthen(planned.steps)
    elif begun_with != planned:
        differences = differing(begun_with.model_dump(mode="json"), planned)
        raise UsageError(
            f"{folder} was begun with other settings than those planned ({differences}); remove it,"
            " or name another folder with --out"
        )
    return run

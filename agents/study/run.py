"""Runs a study: trains the cells that are not done, stores their results, writes the report.

An interrupted study is resumed from finished cells in the results' folder, and from the checkpoints
of cells that were begun.

    OUT/cells/TASK/ARM/seedN/   a run each
    OUT/results/                results of finished cells, figures, tables
    OUT/report.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from agents.bonus.make import make_bonus
from agents.study.page import write_study
from agents.study.plan import Cell, Plan
from agents.study.results import INDEX, Result, read_results, result_of, write_results
from agents.training.executor import Executor
from agents.training.parallel import LocalProcesses
from agents.training.progress import train_with_progress
from agents.training.run.folder import Run
from agents.training.run.lock import owned, owned_in_turn
from agents.training.settings.config import TrainConfig
from agents.training.settings.idle import refuse_idle
from calm.cli.waiting import waiting
from calm.errors import CalmError, UsageError
from calm.judges import teacher_of
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
    retries: int = 0
    """How often in a row a cell may be lost, as with its machine, without a later checkpoint."""
    shared: bool = False
    """Whether other processes train cells in the same folder, see `agents.cluster.worker`."""
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
    cells = plan.cells(order.seeds, order.tasks, order.arms, order.first_seed)
    configs = {cell: plan.config(cell, order.overrides) for cell in cells}
    refuse_idle(order.overrides, list(configs.values()))
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
        Text(f"{len(cells)} cells: {len(cells) - len(runs)} done, {len(runs)} to train.")
        if order.train
        else Text(f"{len(cells)} cells, {sum(c in done.results for c in cells)} done.")
    )
    return runs


class DoneCells:
    """The finished cells of a study, and the folder of their results, which others may add to.

    Args:
        plan, order: of the study.
        folder: of the results.

    Raises:
        UsageError: some have other settings than those planned, and the order does not leave them
            out.
    """

    def __init__(self, plan: Plan, order: Order, folder: Path) -> None:
        self._plan, self._order, self._folder = plan, order, folder
        self.results = _finished(plan, order, folder)
        """By cell."""
        self._written = len(self.results)
        self._stamp = self._stamp_now()
        self._next_write = 0.0

    def add(self, results: Mapping[Cell, Result]) -> None:
        """Adds finished cells, and writes them unless that would take a tenth of the time.

        What is not written is not lost with a kill: it is read from the runs' folders again.
        """
        self.results |= results
        if results and not self._order.shared and time.monotonic() >= self._next_write:
            self.write()

    def write(self) -> bool:
        """Writes all results, those that others have added too; returns whether any is new."""
        start = time.monotonic()
        if (stamp := self._stamp_now()) != self._stamp:
            written, _ = _fitting(self._plan, self._order, self._folder)
            self.results = written | self.results
            self._written = len(written)
        if len(self.results) == self._written:
            self._stamp = stamp
            return False
        write_results(self._folder, self.results.values())
        self._written, self._stamp = len(self.results), self._stamp_now()
        end = time.monotonic()
        self._next_write = end + 10 * (end - start)
        return True

    def _stamp_now(self) -> int:
        """Returns when the results were last written by anybody, 0 where there are none."""
        index = self._folder / INDEX
        return index.stat().st_mtime_ns if index.exists() else 0


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
        to_the_end = planned.has_schedule and planned.schedule_steps is None
        if to_the_end and run.checkpoint_path.exists():
            raise UsageError(
                f"{folder} was begun with a schedule to its last step, {begun_with.steps:,}: for"
                f" {planned.steps:,} steps all of its training would have been another; remove it,"
                " or name another folder with --out"
            )
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

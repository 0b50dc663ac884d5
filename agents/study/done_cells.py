"""Keeps the finished cells of a study and the folder of their results.

All of them were trained with the settings planned, else arms could not be compared.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agents.study.order import Order
from agents.study.plan import Cell, Plan
from agents.study.results import INDEX, Result, read_results, write_results
from agents.training.settings.config import TrainConfig, make_config
from calm.errors import UsageError


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
            others.append(f"{cell} ({differing(result.config, planned)})")
    return done_cells, others


def differing(begun_with: Mapping[str, Any], planned: TrainConfig) -> str:
    """Returns the settings that differ, with both values, in words."""
    try:  # what was not a setting then had the value that is now the default
        before = make_config(dict(begun_with)).model_dump(mode="json")
    except UsageError as error:
        return str(error)
    return ", ".join(
        f"{name}: {before[name]}, now {value}"
        for name, value in planned.model_dump(mode="json").items()
        if before[name] != value
    )


def _few(names: Iterable[str], most: int = 5) -> str:
    """Returns the first names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return "; ".join(listed[:most]) + more

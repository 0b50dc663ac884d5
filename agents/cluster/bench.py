"""Measures what a study costs the machine that runs it, beside the training of its cells.

Cells of two steps each are trained by this machine's processes and by a Ray cluster of this machine
alone. What is left when next to nothing is trained is the price of a cell: the driver's processor
time, and the time from cell to cell, most of which is a process that starts and imports torch.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.cluster.cell import CellNeeds
from agents.cluster.questions import Asking
from agents.cluster.ray_executor import RayExecutor
from agents.study.done_cells import DoneCells
from agents.study.order import Order
from agents.study.plan import ArmPlan, Plan
from agents.study.results import result_of
from agents.training.executor import Executor, News, train_all
from agents.training.parallel import LocalProcesses
from agents.training.run.folder import Run
from calm.bench.harness import Say, machine, row

CELLS, QUICK_CELLS = 200, 12
SETTINGS = {
    "judge": "none",
    "n_envs": 1,
    "n_steps": 2,
    "minibatches": 1,
    "n_epochs": 1,
    "steps": 2,
    "eval_every": 1000,
    "eval_episodes": 1,
    "features_dim": 8,
}
"""Of a cell that trains next to nothing."""
PLAN = Plan("bench", "Bench", SETTINGS, {"KeyRoom-S5": {}}, {"one": ArmPlan("", "", {})}, [], {})


@dataclass
class _Timed:
    """An executor whose beginning is timed apart."""

    executor: Executor
    seconds: float = 0.0
    """From connecting until cells can be started."""

    def begin(self, runs: Sequence[Run]) -> None:
        start = time.perf_counter()
        self.executor.begin(runs)
        self.seconds = time.perf_counter() - start

    @property
    def room(self) -> bool:
        return self.executor.room

    def start(self, i: int) -> bool:
        return self.executor.start(i)

    def news(self) -> Iterable[tuple[int, News]]:
        return self.executor.news()

    def end(self, interrupt: bool) -> None:
        self.executor.end(interrupt)


def run(
    say: Say, cells: int = CELLS, names: Sequence[str] = ("processes", "ray")
) -> Mapping[str, Any]:
    """Returns the bench's report.

    Args:
        say: shows what is being measured.
        cells: of the study.
        names: of the executors to measure.
    """
    rows = []
    for name in names:
        say(f"{cells} cells of two steps, {name}")
        with tempfile.TemporaryDirectory(prefix="calm-bench-") as folder:
            rows += _measured(name, Path(folder), cells)
    return {"bench": "study", "machine": machine(cells=cells), "rows": rows, "ratios": {}}


def _measured(name: str, folder: Path, cells: int) -> list[dict[str, Any]]:
    """Trains the cells by one executor and returns its rows."""
    store = folder / "store.sqlite"
    by_name: dict[str, Executor] = {
        "processes": LocalProcesses(store),
        "ray": RayExecutor("local", CellNeeds(memory=0.5), Asking(store)),
    }
    timed = _Timed(by_name[name])
    planned = PLAN.cells(cells)
    runs = [Run.create(folder / str(cell), PLAN.config(cell)) for cell in planned]
    done = DoneCells(PLAN, Order(seeds=cells), folder / "results")

    def keep(i: int) -> None:
        if (result := result_of(runs[i], planned[i])) is not None:
            done.add({planned[i]: result})

    start, processor = time.perf_counter(), time.process_time()
    train_all(runs, timed, on_end=keep)
    done.write()
    seconds = time.perf_counter() - start - timed.seconds
    processor = time.process_time() - processor
    return [
        row(f"{name}: until the first cell can start", "s", [timed.seconds]),
        row(f"{name}: driver's processor time a cell", "ms", [1000 * processor / cells]),
        row(f"{name}: time a cell", "ms", [1000 * seconds / cells]),
    ]

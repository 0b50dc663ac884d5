"""Reads and writes the results of a study's finished cells, in files that are committed.

cells.json       one entry a cell: its settings, their hash, commit, machine, versions, times
cells.parquet    one row an evaluation: task, arm, seed, config (the hash) and all metrics
subgoals.parquet one row an evaluation and subgoal: how often it was achieved
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from agents.study.plan import Cell
from agents.training.run.folder import Row, Run
from agents.training.settings.config import TrainConfig, make_config
from calm.errors import UsageError
from calm.files import write_file
from data.parquet_file import read_whole

ORIGIN = ("commit", "machine", "started")
"""What the page says of where a cell comes from."""
INDEX, EVALUATIONS, SUBGOALS = "cells.json", "cells.parquet", "subgoals.parquet"


@dataclass(frozen=True)
class Result:
    """The result of one finished cell: its settings, its origin, its metrics."""

    cell: Cell
    config: Mapping[str, Any]
    """All settings, as the run's folder has them."""
    provenance: Mapping[str, Any]
    """Commit, machine, versions, start, where it was resumed, seconds."""
    rows: list[Row]
    """Metrics, one row an evaluation, oldest first."""

    @property
    def hash(self) -> str:
        """Twelve digits that name the settings."""
        text = json.dumps(self.config, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def fits(self, planned: TrainConfig) -> bool:
        """Returns whether it was trained with the planned settings; missing fields are defaults."""
        try:
            return make_config(dict(self.config)) == planned
        except UsageError:
            return False


def result_of(run: Run, cell: Cell) -> Result | None:
    """Returns the result of a run; None where it has not come to its last step."""
    rows = run.metrics()
    config = run.config
    if not rows or rows[-1]["steps"] < config.steps:
        return None
    provenance = {
        **run.started_with,
        "resumed_at": run.resumed_at,
        "training_seconds": round(rows[-1]["seconds"], 1),
        "eval_seconds": round(rows[-1]["eval_seconds"], 1),
    }
    return Result(cell, config.model_dump(mode="json"), provenance, rows)


def read_results(folder: Path) -> dict[Cell, Result]:
    """Returns the finished cells in a folder; none where there is no folder.

    Raises:
        UsageError: files that can't be read or don't belong together.
    """
    if not (folder / INDEX).exists():
        return {}
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
        rows: dict[Cell, list[Row]] = {}
        for row in read_whole(folder / EVALUATIONS).to_pylist():
            cell = Cell(row.pop("task"), row.pop("arm"), row.pop("seed"))
            row.pop("config")
            rows.setdefault(cell, []).append(row | {"subgoals": []})
        at = {(cell, row["steps"]): row for cell, by_cell in rows.items() for row in by_cell}
        for row in read_whole(folder / SUBGOALS).to_pylist():
            cell = Cell(row.pop("task"), row.pop("arm"), row.pop("seed"))
            if (evaluation := at.get((cell, row.pop("steps")))) is not None:
                evaluation["subgoals"].append(row)
        by_cell = {}
        for entry in index:
            cell = Cell(entry["task"], entry["arm"], entry["seed"])
            origin = entry["provenance"]
            if not isinstance(entry["settings"], dict):
                raise ValueError(f"the settings of {cell} are {entry['settings']!r}")
            if not all(isinstance(origin[name], str) for name in ORIGIN):
                raise ValueError(f"where {cell} comes from is {origin!r}")
            by_cell[cell] = Result(cell, entry["settings"], entry["provenance"], rows[cell])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"the results in {folder} can't be read ({type(error).__name__}: {error}); they are"
            f" {INDEX}, {EVALUATIONS} and {SUBGOALS}, written together"
        ) from None
    return by_cell


def write_results(folder: Path, results: Iterable[Result]) -> None:
    """Replaces a folder's results; each file whole, so a kill leaves no half."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(results, key=lambda r: r.cell)
    evaluations: list[Row] = []
    subgoals: list[Row] = []
    for result in ordered:
        names = dict(result.cell._asdict())
        for row in result.rows:
            plain = {k: v for k, v in row.items() if k != "subgoals"}
            evaluations.append(names | {"config": result.hash} | plain)
            subgoals += [names | {"steps": row["steps"]} | s for s in row.get("subgoals") or ()]
    index = [
        dict(r.cell._asdict())
        | {"config": r.hash, "settings": dict(r.config), "provenance": dict(r.provenance)}
        for r in ordered
    ]
    _write_table(folder / EVALUATIONS, evaluations)
    _write_table(folder / SUBGOALS, subgoals)
    write_file(folder / INDEX, json.dumps(index, indent=1) + "\n")


def _write_table(path: Path, rows: list[Row]) -> None:
    """Writes rows as parquet, a column for each name that any row has."""
    # Not all arms have all columns, and pyarrow looks at the first row alone.
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = pa.table({c: [row.get(c) for row in rows] for c in columns})
    write_file(path, lambda partial: pq.write_table(table, partial, compression="zstd"))

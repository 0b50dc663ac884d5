"""Writes an evaluation into a folder: the page, the numbers, every answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from calm.files import write_file
from data.evaluation.evaluate import EvaluationTable
from data.judgements import write_judgements
from data.report.page import write_report
from data.schema import ENGINE


def save_evaluation(folder: Path, tables: Sequence[EvaluationTable]) -> None:
    """Writes `evaluate.html`, `evaluate.json` and an `answers-NAME.parquet` for each table."""
    folder.mkdir(parents=True, exist_ok=True)
    write_report(folder / "evaluate.html", tables, "Evaluation of judges")
    numbers = json.dumps({"tables": [t.to_dict() for t in tables]}, indent=2)
    write_file(folder / "evaluate.json", numbers + "\n")
    for table in tables:
        words = [
            table.name or "set",
            *([] if table.against == ENGINE else ["against", table.against]),
        ]
        name = "".join(c if c.isalnum() or c in "-._" else "-" for c in "-".join(words))
        write_judgements(folder / f"answers-{name}.parquet", table.judged)

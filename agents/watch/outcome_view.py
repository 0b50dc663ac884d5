"""What evaluations and tables of answers show, once they are written: a few figures each."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from data.parquet_file import read_whole

METRICS = ("mcc", "balanced_accuracy", "precision", "recall", "f1", "exact", "unreadable")
"""Of an evaluation's, those that are shown."""


def read_evaluation(path: Path) -> dict[str, Any]:
    """Returns the scores in an `evaluate.json`, plain values for JSON.

    Where the file can't be read, `problem` says why.
    """
    shared = {"path": str(path), "page": str(path.with_suffix(".html"))}
    try:
        tables = [
            {
                "name": table["name"],
                "against": table["against"],
                "transitions": table["transitions"],
                "scores": [
                    {
                        "judge": score["judge"],
                        "mode": score["mode"],
                        "variant": score["variant"],
                        "verdicts": score["verdicts"],
                        "metrics": {
                            name: score["metrics"][name]
                            for name in METRICS
                            if name in score["metrics"]
                        },
                    }
                    for score in table["scores"]
                ],
            }
            for table in json.loads(path.read_text("utf-8"))["tables"]
        ]
    except Exception as error:  # JSON of something else fails in many ways
        return shared | {"problem": f"{path} is no file of `calm evaluate --out`: {error!r}"}
    return shared | {"problem": "", "tables": tables}


def read_answers(path: Path) -> dict[str, Any]:
    """Returns how many answers of which class a table of a judge's answers holds."""
    shared = {"path": str(path)}
    counts: dict[tuple[str, str], Counter[str]] = {}
    try:
        columns = ["judge", "mode", "verdict"]
        table = read_whole(path, columns).group_by(columns)
        for row in table.aggregate([([], "count_all")]).to_pylist():
            of = counts.setdefault((row["judge"], row["mode"]), Counter())
            of[row["verdict"]] += row["count_all"]
    except Exception as error:  # pyarrow raises many kinds for a damaged file
        return shared | {"problem": f"{path} can't be read: {error}"}
    return shared | {
        "problem": "",
        "judges": [
            {"judge": judge, "mode": mode, "answers": of.total(), "verdicts": dict(of)}
            for (judge, mode), of in counts.items()
        ],
    }

"""`calm store stats`: what a store holds and what it cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from calm.cli.options import (
    Json,
    KeptStoreOption,
)
from calm.cli.output import make_console, print_json


def stats_command(store: KeptStoreOption = Path("calm.sqlite"), as_json: Json = False) -> None:
    """Show what a store holds and what it cost, every attempt counted."""
    from calm.store.integrity import stats
    from calm.store.store import Store

    with Store.existing(store) as opened:
        counts = stats(opened)
    if as_json:
        print_json(counts)
        return
    console = make_console()
    answers = Table("model", "task", "read as", "answers", "classes", title="Answers")
    for row in counts["answers"]:
        verdicts = row["verdicts"]
        classes = ", ".join(f"{v} {n}" for v, n in verdicts.items())
        read_as = row["mode"] or row["kind"]
        cells = (row["model"], row["task"], read_as, str(sum(verdicts.values())), classes)
        answers.add_row(*map(Text, cells))
    console.print(answers)
    calls = Table("model", "attempts", "failed", "prompt", "cached", "completion", "cost",
                  title="Calls and tokens")  # fmt: skip
    for model, row in counts["models"].items():
        failed = ", ".join(f"{k} {n}" for k, n in row["failed"].items()) or "none"
        calls.add_row(
            *map(
                Text,
                (
                    model,
                    str(row["attempts"]),
                    failed,
                    *(str(row[f"{n}_tokens"]) for n in ("prompt", "cached", "completion")),
                    _cost(row),
                ),
            )
        )
    console.print(calls)


def _cost(row: dict[str, Any]) -> str:
    unknown = row["calls_of_unknown_price"]
    if row["cost"] is None:
        return "price not known"
    return f"${row['cost']:.4f}" + (f" + {unknown} calls of unknown price" if unknown else "")

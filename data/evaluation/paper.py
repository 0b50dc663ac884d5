"""The table of the CALM paper (arXiv 2409.12798), to be printed beside ours.

256 one-step transitions of KeyRoom in three even classes (key, door, none), "any subgoal" yes or
no. `*`: 4-bit. With two thirds of them positive, always saying yes scores F1 .80, accuracy .67,
precision .67, recall 1; the paper does not print that row.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

PATH = Path(__file__).with_name("paper.csv")


class PaperRow(NamedTuple):
    """One model under one condition, as printed."""

    annotator: str
    mode: str
    """`screen` or `crop`; the paper had no `events`."""
    subgoals: str
    """`given` or `discovered`."""
    f1: float
    accuracy: float
    precision: float
    recall: float


def paper_table(mode: str | None = None, subgoals: str | None = None) -> list[PaperRow]:
    """Returns the paper's rows, of all conditions or of one, in the paper's order."""
    with PATH.open(encoding="utf-8", newline="") as file:
        rows = [
            PaperRow(
                line["annotator"],
                line["mode"],
                line["subgoals"],
                *(float(line[k]) for k in ("f1", "accuracy", "precision", "recall")),
            )
            for line in csv.DictReader(file)
        ]
    return [r for r in rows if mode in (None, r.mode) and subgoals in (None, r.subgoals)]

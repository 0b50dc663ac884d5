"""The paper's table with our rows under its own."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from data.evaluation.evaluate import EvaluationTable
from data.evaluation.paper import paper_table
from data.report.terminal import columns, fmt_share
from data.schema import ENGINE, PEOPLE

FIGURES = ("f1", "accuracy", "precision", "recall")


def protocol_table(tables: Sequence[EvaluationTable]) -> Table:
    """Returns all rows of the paper, then a section for each of our tables.

    A section says what its rows are scored against; its last column is the number of steps, which
    is less than 256 where people have no majority on the others.
    """
    out = columns(
        "As the paper counts: unreadable is no",
        ["annotator", "reads", "subgoals", "against"],
        [*FIGURES, "n"],
    )
    for row in paper_table():
        figures = (fmt_share(getattr(row, name)) for name in FIGURES)
        name = Text(row.annotator, "dim")
        out.add_row(name, row.mode, row.subgoals, "paper's", *figures, "256")
    for table in tables:
        out.add_section()
        subgoals = "discovered" if table.matches else "given"
        against = "people" if table.against == PEOPLE else table.against
        people = [] if table.against == ENGINE or table.matches else table.people
        for s in (*table.scores, *people):
            figures = (fmt_share(s.metrics[f"paper_{name}"].value) for name in FIGURES)
            out.add_row(Text(s.judge), Text(s.mode), subgoals, Text(against), *figures, str(s.n))
    return out

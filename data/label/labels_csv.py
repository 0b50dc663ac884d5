"""Labels as CSV that a spreadsheet can open without running anything in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from calm.errors import UsageError
from calm.files import write_file
from data.parquet_file import MAX_CELL_BYTES, MAX_FILE_BYTES
from data.schema import Label, label_of

COLUMNS = ("id", "annotator", "achieved", "asked", "unsure", "seconds", "at")
OPTIONAL_COLUMNS = ("reads", "set", "page")
"""Files of earlier releases lack them."""
_JOIN = " | "
"""Between the subgoals of a cell."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""A cell that starts so may be run by a spreadsheet (or, for ', hide that it was marked)."""


def write_csv(path: str | Path, labels: Iterable[Label]) -> None:
    """Writes labels; a cell that a spreadsheet would take for a formula gets a `'` in front."""
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow((*COLUMNS, *OPTIONAL_COLUMNS))
    for label in labels:
        for name in (*label.asked, label.annotator):
            if _JOIN in name:
                raise UsageError(f"{path}: {name!r} holds {_JOIN!r}, which separates names")
        row = (
            label.id,
            label.annotator,
            _JOIN.join(label.achieved),
            _JOIN.join(label.asked),
            "yes" if label.unsure else "no",
            f"{label.seconds:g}",
            label.at,
            label.reads,
            label.set,
            label.page,
        )
        out.writerow([_inert(cell) for cell in row])
    write_file(path, text.getvalue())


def read_csv(path: str | Path) -> list[Label]:
    """Reads labels; UsageError names the file, the line and the column that cannot be used."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file; expected a CSV of labels")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UsageError(f"{path}: larger than the {MAX_FILE_BYTES:,} bytes allowed")
    csv.field_size_limit(MAX_CELL_BYTES)
    labels = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, strict=True)
            if missing := [c for c in COLUMNS if c not in (lines.fieldnames or ())]:
                raise UsageError(f"{path}: column {missing[0]} is missing")
            for line in lines:
                labels.append(_label(path, lines.line_num, line))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as CSV: {error}") from error
    return labels


def _label(path: Path, number: int, line: dict[str, str | None]) -> Label:
    where = f"{path}, line {number}"
    cell = {}
    for name in COLUMNS:
        value = line[name]
        if value is None:
            raise UsageError(f"{where}: column {name} is missing")
        cell[name] = active(value)
    if cell["unsure"] not in ("yes", "no"):
        raise UsageError(f"{where}: column unsure is {cell['unsure']!r}, expected yes or no")
    try:
        seconds = float(cell["seconds"])
    except ValueError:
        raise UsageError(f"{where}: column seconds is {cell['seconds']!r}, not a number") from None
    if not cell["id"] or not cell["annotator"]:
        raise UsageError(f"{where}: a label needs an id and an annotator")
    try:
        return label_of(
            {
                "id": cell["id"],
                "annotator": cell["annotator"],
                "achieved": _names(cell["achieved"]),
                "asked": _names(cell["asked"]),
                "unsure": cell["unsure"] == "yes",
                "seconds": seconds,
                "at": cell["at"],
                **{name: active(line.get(name) or "") for name in OPTIONAL_COLUMNS},
            }
        )
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error


def _names(cell: str) -> list[str]:
    return [name for name in cell.split(_JOIN) if name]


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def active(cell: str) -> str:
    """Returns a cell without the sign that keeps a spreadsheet from running it."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell

"""Labels in files: what moves them between people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from calm.errors import UsageError, unknown
from data.label.labels_csv import read_csv, write_csv
from data.label.store import LabelStore
from data.parquet import read_labels, write_labels
from data.schema import Label


def read_label_file(path: Path) -> list[Label]:
    """The labels of a label store (.sqlite), a .csv file, or a parquet file by any other name."""
    if path.suffix == ".sqlite":
        return stored_labels(path)
    return read_csv(path) if path.suffix == ".csv" else read_labels(path)


def write_label_file(path: Path, labels: Sequence[Label]) -> None:
    """Writes labels as .csv or .parquet, by the name's ending; UsageError for another."""
    if path.suffix == ".csv":
        write_csv(path, labels)
    elif path.suffix == ".parquet":
        write_labels(path, labels)
    else:
        raise unknown("kind of file", path.suffix, [".csv", ".parquet"])


def stored_labels(path: Path) -> list[Label]:
    """The labels that count in a label store; UsageError where there is no such file."""
    if not path.is_file():
        raise UsageError(f"{path}: no labels yet; `calm label --as YOU` makes some")
    with LabelStore(path) as store:
        return store.labels()

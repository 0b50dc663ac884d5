"""Labels in files: what moves them between people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from calm.errors import UsageError, unknown
from data.label.labels_csv import read_csv, write_csv
from data.label.store import LabelStore
from data.parquet import read_labels, write_labels
from data.schema import Label


def read_label_file(path: Path, *, readonly: bool = False) -> list[Label]:
    """Returns the labels of a label store (.sqlite), a .csv file, or else a parquet file.

    Args:
        path: the file.
        readonly: leave a label store wholly as it is: one of an earlier release is not brought up
            to date, one whose writer was killed is refused until it is opened for writing.
    """
    if path.suffix == ".sqlite":
        return stored_labels(path, readonly=readonly)
    return read_csv(path) if path.suffix == ".csv" else read_labels(path)


def write_label_file(path: Path, labels: Sequence[Label]) -> None:
    """Writes labels as .csv or .parquet, by the name's ending; UsageError for another."""
    if path.suffix == ".csv":
        write_csv(path, labels)
    elif path.suffix == ".parquet":
        write_labels(path, labels)
    else:
        raise unknown("kind of file", path.suffix, [".csv", ".parquet"])


def stored_labels(path: Path, *, readonly: bool = False) -> list[Label]:
    """Returns the labels that count in a label store.

    Raises:
        UsageError: there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no labels yet; `calm label --as YOU` makes some")
    with LabelStore(path, readonly=readonly) as store:
        return store.labels()

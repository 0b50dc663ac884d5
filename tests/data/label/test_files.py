"""Labels in files, by the name's ending."""

from pathlib import Path

import pytest

from calm.errors import UsageError
from data.label.files import read_label_file, write_label_file
from data.label.store import LabelStore
from tests.support.key_and_door import KEY, key_and_door_rows, label

LABELS = [label(row, "ann", KEY.name, seconds=1.5) for row in key_and_door_rows(3)]


@pytest.mark.parametrize("name", ["l.csv", "l.parquet"])
def test_what_was_written_is_read(tmp_path: Path, name: str) -> None:
    write_label_file(tmp_path / name, LABELS)
    assert read_label_file(tmp_path / name) == LABELS


def test_of_a_store_what_counts_is_read(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "l.sqlite") as store:
        store.merge(LABELS)
        store.undo("ann")
    assert read_label_file(tmp_path / "l.sqlite") == LABELS[:2]


def test_other_endings_and_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown kind of file '\.txt'"):
        write_label_file(tmp_path / "l.txt", LABELS)
    with pytest.raises(UsageError, match="no labels yet"):
        read_label_file(tmp_path / "l.sqlite")

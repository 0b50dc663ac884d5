"""`calm labels export` and `agreement`, `datasheet`: what is made of stored labels."""

from pathlib import Path

import pytest

from calm.errors import UsageError
from data.label.files import read_label_file
from data.label.store import LabelStore
from tests.support.command_line import calm
from tests.support.key_and_door import KEY, key_and_door_rows, label


def test_all_labels_that_count_are_written(tmp_path: Path) -> None:
    rows = key_and_door_rows(3)
    labels = [label(rows[0], "ann", KEY.name), label(rows[1], "ann", at="2026-01-31")]
    with LabelStore(tmp_path / "l.sqlite") as store:
        store.merge(labels)
    for name in ("l.csv", "l.parquet"):
        output = calm("labels", "export", tmp_path / name, "--labels", tmp_path / "l.sqlite")
        assert output == f"2 labels written to {tmp_path / name}\n"
        assert read_label_file(tmp_path / name) == labels


def test_without_a_store_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no labels yet; `calm label --as YOU` makes some"):
        calm("labels", "export", tmp_path / "l.csv", "--labels", tmp_path / "none.sqlite")

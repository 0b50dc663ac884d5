"""`calm labels agreement`: kappas of the labels in files, or in the store."""

import json
from pathlib import Path

import pytest

from data.label.files import write_label_file
from data.label.store import LabelStore
from data.schema import Label
from tests.support.command_line import calm
from tests.support.key_and_door import KEY, key_and_door_rows, label

ROWS = key_and_door_rows(4)


@pytest.fixture
def labels() -> list[Label]:
    """Ann agrees with the engine about all but row 0, bob about all."""
    anns = [label(row, "ann", *([KEY.name] if i == 3 else [])) for i, row in enumerate(ROWS)]
    bobs = [label(row, "bob", *(n for n, yes in row.truth.items() if yes)) for row in ROWS]
    return [*anns, *bobs]


def test_files_or_the_store_give_the_same(
    transitions: Path, tmp_path: Path, labels: list[Label]
) -> None:
    write_label_file(tmp_path / "l.csv", labels)
    with LabelStore(tmp_path / "l.sqlite") as store:
        store.merge(labels)
    words = ("labels", "agreement", "--data", transitions)
    of_file = json.loads(calm(*words, tmp_path / "l.csv", "--json"))
    of_store = json.loads(calm(*words, "--labels", tmp_path / "l.sqlite", "--json"))
    assert of_file == of_store
    pairs = {(p["first"], p["second"]): (p["n"], p["alike"]) for p in of_file["pairs"]}
    assert pairs == {("ann", "bob"): (4, 2), ("ann", "engine"): (4, 2), ("bob", "engine"): (4, 4)}
    assert "Cohen's kappa" in calm(*words, tmp_path / "l.csv")

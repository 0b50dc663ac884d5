"""`calm labels`: out to files and in again, and how far people agree."""

from __future__ import annotations

import json
from pathlib import Path

from calm.errors import UsageError
from calm.records import Transition, content_hash
from data.label.store import LabelStore
from data.parquet import read_labels
from data.schema import Label
from tests.support.command_line import run_calm as calm
from tests.support.key_and_door import DOOR, EVENTS, KEY, TASK


def test_labels_go_out_and_in_and_agree(transitions: Path, tmp_path: Path) -> None:
    labels = tmp_path / "l.sqlite"
    text = f"{EVENTS[0]} [0]"
    first = Transition(TASK.id, {"events": text, "screen": f"<{EVENTS[0]} 0>"}, "apply").id
    with LabelStore(labels) as store:
        label = Label(first, "=ann", (KEY.name,), (KEY.name, DOOR.name), at="2026")
        store.add(label, content_hash(first))
    for name in ("l.csv", "l.parquet"):
        out = tmp_path / name
        assert calm("labels", "export", out, "--labels", labels).exit_code == 0
        again = tmp_path / f"{name}.sqlite"
        assert "1 new labels" in calm("labels", "import", out, "--labels", again).output
        assert "0 new labels" in calm("labels", "import", out, "--labels", again).output
        with LabelStore(again) as store:
            assert store.labels() == [label]
    assert read_labels(tmp_path / "l.parquet") == [label]
    shared = ["--data", transitions, "--labels", labels]
    result = calm("labels", "agreement", *shared, "--json")
    assert json.loads(result.stdout)["pairs"][0]["alike"] == 1
    assert "=ann" in calm("labels", "agreement", *shared).output
    assert isinstance(
        calm("labels", "export", tmp_path / "l.xls", "--labels", labels).exception, UsageError
    )
    absent = ["--labels", tmp_path / "absent.sqlite"]
    assert isinstance(calm("labels", "export", tmp_path / "x.csv", *absent).exception, UsageError)
    assert isinstance(calm("label", "--as", "engine", *shared).exception, UsageError)

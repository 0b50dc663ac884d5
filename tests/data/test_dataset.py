"""Sets on disk: found by name, verified against their manifests, every fault told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.records import LabelledTransition, Subgoal, Task, Transition
from data import dataset
from data import verify as check

TASK = Task("room", "win", (Subgoal("key", "."), Subgoal("door", ".")))
ONLY_KEY = Task("room", "win", (Subgoal("key", "."),))


def row(i: int, kind: str = "none") -> LabelledTransition:
    return LabelledTransition(
        Transition("room", {"events": f"{kind} {i}"}, "wait", f"e{i // 2}", i),
        {"key": kind == "key", "door": kind == "door"},
        {"level_seed": 1000 + i, "player": "random"},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "small-v1"
    balanced = [row(i, ("key", "door", "none")[i % 3]) for i in range(9)]
    natural = [row(10), row(11, "key"), row(12), row(13, "door"), row(14)]
    parts = {
        "balanced": dataset.write_part(folder, "balanced", balanced, {"room": TASK}),
        "natural": dataset.write_part(folder, "natural", natural, {"room": TASK}),
    }
    dataset.write_manifest(folder, "small-v1", parts, {"data_levels": [1000, 2000]})
    (folder / dataset.CARD).write_text("# small-v1\n")
    return folder


def test_a_sound_set_is_found_and_verified(folder: Path) -> None:
    loaded = dataset.load(folder)
    assert loaded.name == "small-v1"
    assert [len(p.rows) for p in loaded.parts.values()] == [9, 5]
    assert loaded.natural_rate({"room": TASK}) == 0.4
    assert loaded.natural_rate({"room": ONLY_KEY}) == 0.2
    manifest = dataset.read_manifest(folder)
    assert manifest["parts"]["natural"]["classes"] == {"none": 3, "key": 1, "door": 1}
    assert manifest["parts"]["natural"]["episodes"] == 3
    assert manifest["parts"]["natural"]["level_seeds"] == [1010, 1014]
    assert list(check.faults(folder)) == []
    assert list(check.verify([str(folder)])) == [(str(folder), [])]


def test_a_single_file_is_a_set_without_a_natural_rate(folder: Path) -> None:
    loaded = dataset.load(folder / "balanced.parquet")
    assert list(loaded.parts) == [""]
    assert loaded.natural_rate({"room": TASK}) is None


def test_every_fault_is_told(folder: Path) -> None:
    (folder / dataset.CARD).unlink()
    # The natural part is replaced: a duplicate of the other part, a level outside the range, two
    # rows of one content.
    rows = [row(0, "key"), row(1500), row(1500), row(1700)]
    dataset.write_part(folder, "natural", rows, {"room": TASK})
    text = "\n".join(check.faults(folder))
    for fault in (
        "no card",
        "sha256 is not",
        "rows is 4, the manifest says 5",
        "row 0: same content as",
        "row 2: same content as",
        "row 3: level seed 2700 is not one",
    ):
        assert fault in text
    [(name, lines)] = check.verify([str(folder)])
    assert (name, "\n".join(lines)) == (str(folder), text)


def test_uneven_classes_are_a_fault(folder: Path) -> None:
    manifest = dataset.read_manifest(folder)
    rows = [row(i, "key" if i < 4 else "none") for i in range(6)]
    manifest["parts"]["balanced"] = dataset.write_part(folder, "balanced", rows, {"room": TASK})
    dataset.write_manifest(folder, "small-v1", manifest["parts"], {})
    assert any("classes are not even" in f for f in check.faults(folder))


def test_names_the_sets_there_are() -> None:
    with pytest.raises(UsageError, match="unknown data set, folder or file 'nope'"):
        dataset.load("nope")


@pytest.mark.parametrize(
    "manifest",
    ["[", "[]", '{"name": "x"}', '{"name": "x", "parts": {}}',
     '{"name": "x", "parts": {"a": {"file": "../secret.parquet"}}}'],
)  # fmt: skip
def test_refuses_a_manifest_that_is_none(folder: Path, manifest: str) -> None:
    (folder / dataset.MANIFEST).write_text(manifest)
    with pytest.raises(UsageError, match=r"manifest\.json"):
        dataset.load(folder)
    [(_, lines)] = check.verify([str(folder)])
    assert "manifest.json" in lines[0]


def test_shipped_sets_verify() -> None:
    for name in dataset.shipped():
        assert list(check.faults(dataset.SHIPPED / name)) == []
        assert json.loads((dataset.SHIPPED / name / dataset.MANIFEST).read_text())["name"] == name

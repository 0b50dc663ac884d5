"""Labels of others: what can be used is taken, each other row is told with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calm.errors import UsageError
from data.dataset import Dataset
from data.label.import_formats import Imported, ImportOptions, read_columns
from data.label.imports import import_file, merge_meanings
from data.label.store import LabelStore
from data.parquet import read_transitions
from data.schema import Label
from tests.support.key_and_door import DOOR, KEY, key_and_door_set

NAMES = (KEY.name, DOOR.name)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset("small", {"": read_transitions(key_and_door_set(tmp_path / "t.parquet"))})


@pytest.fixture
def ids(dataset: Dataset) -> list[str]:
    return [row.transition.id for row in dataset.part().rows]


def took(
    folder: Path,
    name: str,
    text: str,
    options: ImportOptions | None = None,
    dataset: Dataset | None = None,
) -> tuple[Imported, list[Label]]:
    """Imports a file of that text into the folder's store."""
    (folder / name).write_bytes(text.encode())
    with LabelStore(folder / "l.sqlite") as store:
        result = import_file(folder / name, store, options or ImportOptions(), dataset)
        return result, store.labels()


def reasons(result: Imported) -> dict[int, str]:
    return {p.row: p.reason for p in result.problems}


def page_file(labels: list[dict[str, Any]], **more: Any) -> str:
    head = {"calm_labels": 1, "page": "calm label 2", "set": "small@0", "annotator": "ann"}
    return json.dumps(head | {"labels": labels} | more)


def entry(id: str, *achieved: str, **more: Any) -> dict[str, Any]:
    at = "2026-01-31T12:00:00.000Z"
    row = {"id": id, "asked": list(NAMES), "achieved": list(achieved), "seconds": 2.5, "at": at}
    return row | {"reads": "screens"} | more


def test_the_pages_own_file(tmp_path: Path, dataset: Dataset, ids: list[str]) -> None:
    meant = {"room": {"get key": KEY.name, "sing": None}}
    text = page_file([entry(ids[0], KEY.name), entry(ids[1], unsure=True)], matches=meant)
    result, labels = took(tmp_path, "l.json", text, dataset=dataset)
    assert (result.new, result.problems, result.matches) == (2, [], meant)
    first = labels[0]
    assert (first.annotator, first.achieved, first.seconds) == ("ann", (KEY.name,), 2.5)
    assert (first.reads, first.set, first.page) == ("screens", "small@0", "calm label 2")
    assert labels[1].unsure
    # The same file again changes nothing.
    result, again = took(tmp_path, "l.json", text, dataset=dataset)
    assert (result.new, result.known, again) == (0, 2, labels)


def test_each_bad_row_is_told_and_the_rest_is_taken(
    tmp_path: Path, dataset: Dataset, ids: list[str]
) -> None:
    rows: list[Any] = [
        entry(ids[0], KEY.name),
        entry("f" * 64),
        entry(ids[2], "pick the key up"),
        entry(ids[3], asked=["pick the key up"]),
        entry(ids[4], seconds=-1),
        entry(ids[5], seconds="nan"),
        entry(ids[6], seconds=1e300),
        entry(ids[7], at="yesterday"),
        entry(ids[8], at="2999-01-01T00:00:00Z"),
        entry(ids[9], asked="key"),
        "not an object",
        entry(ids[11], reads="\x1b[31m"),
        entry(ids[12], DOOR.name),
    ]
    result, labels = took(tmp_path, "l.json", page_file(rows), dataset=dataset)
    assert [label.id for label in labels] == [ids[0], ids[12]]
    by_row = reasons(result)
    expected = {
        2: "small has no transition ffffffffffff; the label is of small@0",
        3: "achieved names what was not asked: pick the key up",
        4: "it was asked about pick the key up; small asks about pick up the key",
        5: "seconds is -1.0",
        6: "seconds is 'nan', not a number",
        7: "seconds is 1e+300, expected 0 to",
        8: "at is 'yesterday', expected a time",
        9: "which has not come yet",
        10: "a list of subgoals is no list of names",
        11: "not an object",
        12: "holds control characters",
    }
    assert by_row.keys() == expected.keys()
    for row, reason in expected.items():
        assert reason in by_row[row]


def test_nothing_is_overwritten_unless_asked_for(tmp_path: Path, ids: list[str]) -> None:
    took(tmp_path, "one.json", page_file([entry(ids[0], KEY.name)]))
    other = page_file([entry(ids[0]), entry(ids[1])])
    result, labels = took(tmp_path, "two.json", other)
    assert result.new == 1
    assert "ann answered 'pick up the key' already, this says 'none'" in reasons(result)[1]
    assert labels[0].achieved == (KEY.name,)
    result, labels = took(tmp_path, "two.json", other, ImportOptions(replace=True))
    assert (result.new, result.known) == (1, 1)
    assert {label.id: label.achieved for label in labels} == {ids[0]: (), ids[1]: ()}
    with LabelStore(tmp_path / "l.sqlite") as store:
        assert [x.kind() for x in store.history(ids[0], "ann")] == ["pick up the key", "none"]


def test_a_name_in_other_case_is_told(tmp_path: Path, ids: list[str]) -> None:
    took(tmp_path, "one.json", page_file([entry(ids[0])]))
    text = page_file([entry(ids[1])], annotator="Ann")
    result, _ = took(tmp_path, "two.json", text)
    assert "'Ann' differs from 'ann' in case alone" in reasons(result)[1]
    result, labels = took(tmp_path, "two.json", text, ImportOptions(annotator="ann"))
    assert (result.new, {label.annotator for label in labels}) == (1, {"ann"})
    for name in ("engine", "People", "", "x" * 65, "a\x00b"):
        result, _ = took(tmp_path, "no.json", page_file([entry(ids[2])], annotator=name))
        assert "an annotator's name has 1 to 64 printable characters" in reasons(result)[1]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_plain_csv_with_columns_of_its_own(
    tmp_path: Path, dataset: Dataset, ids: list[str], separator: str, newline: str
) -> None:
    """As a spreadsheet writes it, with a BOM; names that look like formulas or markup are text."""
    lines = [
        ["task_id", "who", "choice", "comment"],
        [ids[0], "<b>ann</b>", KEY.name, "=1+1"],
        [ids[1], "'=bob", "unsure", ""],
        [ids[2], "ann", "none", ""],
        [ids[3], "ann", f"{KEY.name} | {DOOR.name}", ""],
        [ids[4], "ann", "none | " + KEY.name, ""],
        [ids[5], "ann", "open the dor", ""],
        ["", "ann", "none", ""],
    ]
    text = "\ufeff" + newline.join(separator.join(line) for line in lines) + newline
    options = ImportOptions(read_columns(["id=task_id", "annotator=who", "achieved=choice"]))
    result, labels = took(tmp_path, "l.csv", text, options, dataset)
    kinds = {label.annotator + ": " + label.kind() for label in labels}
    both = f"ann: {KEY.name} + {DOOR.name}"
    assert kinds == {"<b>ann</b>: pick up the key", "=bob: unsure", "ann: none", both}
    assert all(label.asked == NAMES for label in labels)
    by_row = reasons(result)
    assert "none beside other choices" in by_row[6]
    assert "unknown subgoal 'open the dor': did you mean 'open the door'" in by_row[7]
    assert "no id of a transition" in by_row[8]


def test_label_studios_export(tmp_path: Path, dataset: Dataset, ids: list[str]) -> None:
    def annotation(who: object, *choices: str, **more: object) -> dict[str, object]:
        result = [{"type": "choices", "value": {"choices": list(choices)}}]
        return {"completed_by": who, "result": result, "lead_time": 3.5} | more

    tasks = [
        {"id": 7, "data": {"step": ids[0]}, "annotations": [annotation(1, KEY.name)]},
        {
            "data": {"step": ids[1]},
            "annotations": [
                annotation({"id": 2, "email": "someone@example.org"}, "none"),
                annotation(1, "unsure", created_at="2026-01-31T12:00:00.123456Z"),
                annotation(3, KEY.name, was_cancelled=True),
            ],
        },
        {"data": {"text": "no id"}, "annotations": [annotation(1, "none")]},
        {"data": {"step": ids[2]}, "annotations": [annotation(None, "none"), annotation(1)]},
        {"predictions": []},
    ]
    options = ImportOptions(read_columns(["id=step"]))
    result, labels = took(tmp_path, "ls.json", json.dumps(tasks), options, dataset)
    assert [(x.annotator, x.kind(), x.seconds) for x in labels] == [
        ("label-studio-1", KEY.name, 3.5),
        ("label-studio-2", "none", 3.5),
        ("label-studio-1", "unsure", 3.5),
    ]
    assert "example.org" not in str(labels)
    by_row = [(p.row, p.reason) for p in result.problems]
    assert by_row == [
        (2, "skipped by its annotator; no label"),
        (3, "its data has no transition id under 'step'"),
        (4, "completed_by names nobody"),
        (4, "no choice was made"),
        (5, "no `data` and `annotations`: not a task of Label Studio"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "by_row"),
    [
        ("l.json", "[1]", "neither a file of calm's labelling page nor Label Studio's"),
        ("l.json", "{", "cannot be read as JSON"),
        ("l.json", "[" * 100_000, "cannot be read as JSON"),
        ("l.json", '{"calm_labels": 9, "labels": []}', "version 9, this release reads 1"),
        ("l.csv", "a,b\n1,2\n", "column id is missing; has a, b"),
        ("l.csv", 'id,annotator,achieved\n"x', "cannot be read as CSV"),
        ("l.parquet", "PAR1", "cannot be read as parquet"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, text: str, by_row: str) -> None:
    with pytest.raises(UsageError, match=by_row):
        took(tmp_path, name, text)


def test_people_who_differ_on_what_a_subgoal_means_are_told() -> None:
    meanings: dict[str, dict[str, str | None]] = {}
    first = Imported(matches={"room": {"grasp": "key", "sing": None}})
    second = Imported(matches={"room": {"grasp": "door", "sing": None, "leave": "door"}})
    for result in (first, second):
        merge_meanings(meanings, result)
    assert meanings == {"room": {"grasp": "key", "sing": None, "leave": "door"}}
    assert first.problems == []
    reason = "room: 'grasp' means key by an earlier file, door here; the earlier is kept"
    assert reasons(second) == {0: reason}


def test_columns_are_of_fields(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown field of a label 'ids'"):
        read_columns(["ids=x"])
    with pytest.raises(UsageError, match="expected FIELD=NAME"):
        read_columns(["id"])

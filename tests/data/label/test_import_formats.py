"""Files of labels, row by row: a label, or what is wrong with the row."""

import json
from pathlib import Path

import pytest

from calm.errors import UsageError
from data.label.import_formats import Imported, ImportOptions, read_columns, read_entries
from data.schema import Label

Entry = tuple[int, Label | ValueError]


def _entries(path: Path, text: str, options: ImportOptions | None = None) -> list[Entry]:
    path.write_text(text, "utf-8")
    return list(read_entries(path, options or ImportOptions(), Imported()))


def _reason(entry: Entry) -> str:
    assert isinstance(entry[1], ValueError)
    return str(entry[1])


def test_a_csv_of_other_columns_separators_and_words(tmp_path: Path) -> None:
    options = ImportOptions({"id": "Step", "achieved": "What"}, "ann")
    text = "Step;What;unsure\nx;take | pour;no\ny;none;\nz;unsure;\nw;take;perhaps\n"
    first, second, third, fourth = _entries(tmp_path / "l.csv", text, options)
    assert first == (2, Label("x", "", ("take", "pour"), ()))
    assert second == (3, Label("y", "", (), ()))
    assert third == (4, Label("z", "", (), (), unsure=True))
    assert _reason(fourth) == "column unsure is 'perhaps', expected yes or no"


def test_label_studio_s_people_are_numbers(tmp_path: Path) -> None:
    def choices(*names: str) -> dict[str, object]:
        return {"result": [{"value": {"choices": list(names)}}], "completed_by": {"id": 7}}

    tasks = [
        {"data": {"id": "x"}, "annotations": [choices("take") | {"lead_time": 2.5}]},
        {"data": {}, "annotations": [choices("take")]},
        {"data": {"id": "y"}, "annotations": [choices(), choices("none", "take")]},
        {"annotations": 3},
    ]
    one, *others = _entries(tmp_path / "l.json", json.dumps(tasks))
    label = Label("x", "label-studio-7", ("take",), (), seconds=2.5, page="Label Studio")
    assert one == (1, label)
    assert [(number, _reason((number, e))) for number, e in others] == [
        (2, "its data has no transition id under 'id'"),
        (3, "no choice was made"),
        (3, "none beside other choices"),
        (4, "no `data` and `annotations`: not a task of Label Studio"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("l.json", "{", "cannot be read as JSON"),
        ("l.json", "{}", "neither a file of calm's labelling page nor Label Studio's"),
        ("l.json", '{"calm_labels": 2, "labels": []}', "of version 2, this release reads 1"),
        ("l.csv", "id,annotator\n", "column achieved is missing; has id, annotator"),
    ],
)
def test_a_file_of_no_known_form_is_refused(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        _entries(tmp_path / name, text)


def test_columns_are_named_by_field() -> None:
    assert read_columns(["id=Step", "at=a=b"]) == {"id": "Step", "at": "a=b"}
    with pytest.raises(UsageError, match="unknown field of a label 'who'"):
        read_columns(["who=x"])
    with pytest.raises(UsageError, match="expected FIELD=NAME"):
        read_columns(["id"])

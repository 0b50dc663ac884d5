"""Labels survive CSV, and a spreadsheet finds no formula in it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calm.errors import UsageError
from data.label.labels_csv import COLUMNS, read_csv, write_csv
from data.schema import Label

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="|\r\0"), min_size=1, max_size=9)


@given(annotator=WORDS, names=st.lists(WORDS, unique=True, min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_round_trip(tmp_path: Path, annotator: str, names: list[str]) -> None:
    label = Label("t1", annotator, tuple(names[:1]), tuple(names), False, 2.5, "2026")
    write_csv(tmp_path / "l.csv", [label])
    assert read_csv(tmp_path / "l.csv") == [label]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "'"])
def test_no_cell_is_a_formula(tmp_path: Path, start: str) -> None:
    evil = f"{start}HYPERLINK(1)"
    label = Label("t1", evil, (evil,), (evil, "b"), True, 1.0, "")
    write_csv(tmp_path / "l.csv", [label])
    with (tmp_path / "l.csv").open(newline="") as file:
        for line in csv.reader(file):
            assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in line)
    assert read_csv(tmp_path / "l.csv") == [label]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("t1,ann,key,key,maybe,1,", "line 2: column unsure is 'maybe'"),
        ("t1,ann,key,key,no,soon,", "line 2: column seconds is 'soon'"),
        ("t1,ann,key,key,no,nan,", "line 2: seconds is nan, expected a time"),
        ("t1,ann,lid,key,no,1,", "line 2: achieved names what was not asked: lid"),
        (",ann,key,key,no,1,", "line 2: a label needs an id"),
        ("t1,ann", "line 2: column achieved is missing"),
    ],
)
def test_names_the_line_and_the_column(tmp_path: Path, line: str, fault: str) -> None:
    (tmp_path / "l.csv").write_text(",".join(COLUMNS) + "\n" + line + "\n")
    with pytest.raises(UsageError, match=fault):
        read_csv(tmp_path / "l.csv")


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_csv(tmp_path / "l.csv")
    (tmp_path / "l.csv").write_text("id,annotator\n")
    with pytest.raises(UsageError, match="column achieved is missing"):
        read_csv(tmp_path / "l.csv")
    (tmp_path / "l.csv").write_bytes(b"\xff\xfe\x00\x00")
    with pytest.raises(UsageError, match="cannot be read as CSV"):
        read_csv(tmp_path / "l.csv")
    with pytest.raises(UsageError, match="separates names"):
        write_csv(tmp_path / "l.csv", [Label("t", "a", (), ("x | y",))])
    assert not list(tmp_path.glob("*.partial"))

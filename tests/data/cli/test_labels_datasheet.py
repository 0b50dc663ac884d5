"""`calm labels datasheet`: the record of a round, as a file."""

from pathlib import Path

from data.label.files import write_label_file
from tests.support.command_line import calm
from tests.support.key_and_door import KEY, key_and_door_rows, label


def test_the_datasheet_is_written_with_what_the_labels_tell(
    transitions: Path, tmp_path: Path
) -> None:
    labels, out = tmp_path / "l.csv", tmp_path / "sheet.md"
    write_label_file(labels, [label(row, "ann", KEY.name) for row in key_and_door_rows(5)])
    output = calm("labels", "datasheet", out, "--data", transitions, "--labels", labels)
    assert output == f"datasheet written to {out}\n"
    text = out.read_text("utf-8")
    assert "Labels: 5, about 5 of 24 transitions (5 by 1)" in text
    assert "| ann | 5 | 0 | 0.0 |" in text

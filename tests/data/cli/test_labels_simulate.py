"""`calm labels simulate`: labels of programs, as a file."""

from pathlib import Path

from data.label.files import read_label_file
from tests.support.command_line import calm


def test_each_annotator_labels_every_step_with_stated_errors(
    transitions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "l.csv"
    words = ("--annotator", "a:unsure=1", "--annotator", "b:skip=1", "--annotator", "c")
    output = calm("labels", "simulate", out, "--data", transitions, *words)
    assert output == f"48 simulated labels written to {out}\n"
    labels = read_label_file(out)
    assert {label.annotator for label in labels} == {"simulated-a", "simulated-c"}
    assert {label.unsure for label in labels if label.annotator == "simulated-a"} == {True}

"""Agreement of people as tables, the first disagreements among them."""

from data.report.agreement import render_agreement
from data.scoring.disagreements import agreement
from tests.support.key_and_door import KEY, key_and_door_rows, label
from tests.support.printed import printed

ROWS = key_and_door_rows(6)
LABELS = [
    label(row, name, *([KEY.name] if name == "ann" else []), unsure=name == "bob" and i == 0)
    for name in ("ann", "bob")
    for i, row in enumerate(ROWS)
]


def test_pairs_kappas_and_differences_are_shown() -> None:
    text = printed(render_agreement(agreement(LABELS, ROWS), most=2))
    assert "Fleiss' kappa of all 2 people on 6 transitions" in text
    assert "Krippendorff's alpha of all people" in text
    assert "Unsure: bob 1" in text
    assert f"ann: {KEY.name}, bob: unsure, engine: {KEY.name}" in text
    assert "4 more: see --json" in text

"""The datasheet of a labelling round."""

import pytest

from calm.errors import UsageError
from data.report.datasheet import BLANK, datasheet
from tests.support.key_and_door import KEY, key_and_door_rows, label

ROWS = key_and_door_rows(4)
LABELS = [
    label(ROWS[0], "ann", KEY.name, seconds=2.0, at="2026-01-02", reads="screens", set="s@1"),
    label(ROWS[1], "ann", seconds=5.0, at="2026-01-01", reads="screens"),
    label(ROWS[0], "b|b", unsure=True, seconds=1.0),
]


def test_what_the_labels_tell_is_filled_in_and_the_rest_is_blank() -> None:
    text = datasheet(LABELS, ROWS, "small@1")
    assert text.startswith("# Datasheet of a labelling round on small@1\n")
    assert "- Labels: 3, about 2 of 4 transitions (1 by 1, 1 by 2)" in text
    assert "- Set and version: not recorded (2), s@1 (1)" in text
    assert "- What was shown: screens (2), not recorded (1)" in text
    assert "- When: 2026-01-01 to 2026-01-02" in text
    assert "| ann | 2 | 0 | 3.5 |" in text
    assert "| b\\|b | 1 | 1 | 1.0 |" in text
    assert text.count(BLANK) == 10


def test_labels_of_another_set_make_none() -> None:
    with pytest.raises(UsageError, match="is it the right one"):
        datasheet(LABELS, ROWS[2:], "small@1")

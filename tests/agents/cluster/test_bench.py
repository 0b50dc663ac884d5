"""The bench of a study's price, with a few cells and without a cluster."""

import pytest

from agents.cluster.bench import run


@pytest.mark.slow
def test_what_a_cell_costs_is_told() -> None:
    lines: list[str] = []
    report = run(lines.append, cells=2, names=("processes",))
    assert lines == ["2 cells of two steps, processes"]
    names = [row["name"] for row in report["rows"]]
    assert names == [
        "processes: until the first cell can start",
        "processes: driver's processor time a cell",
        "processes: time a cell",
    ]
    assert all(row["value"] > 0 for row in report["rows"])

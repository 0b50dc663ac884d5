"""Rivals compute the same scan."""

from agents.bench import scan as bench


def test_rivals_compute_the_same_scan() -> None:
    left_out: list[str] = []
    rows = bench.scans(7, "cpu", 1, left_out)
    errors = [row["error"] for row in rows if "error" in row]
    assert len(errors) >= 3
    assert max(errors) < 1e-5
    assert {row["tokens"] for row in rows} == {7}

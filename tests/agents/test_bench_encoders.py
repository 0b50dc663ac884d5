"""Rivals compute the same scan, turns are taken, and rows and ratios are whole."""

import json

import pytest
import torch

from agents import bench_encoders as bench


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "MAPS", {81: (3, 5), 1659: (2, 3)})
    monkeypatch.setattr(bench, "DIM", 8)


def test_a_run_has_rows_ratios_and_the_machine(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(bench, "MAPS", {81: (9, 9), 1659: (21, 79)})
    monkeypatch.setattr(bench, "measure", lambda runs, *_: {k: bench.Timing(2, 1, 3) for k in runs})
    monkeypatch.setattr(bench, "peak_memory", lambda *_: 2**20)
    result = bench.run(True, told.append, "cpu")
    json.dumps(result)
    assert result["bench"] == "encoders"
    assert result["machine"]["torch"] == torch.__version__
    assert result["ratios"]["agent_vs_sdpa_1659"] == 1
    assert told[0] == "mechanisms on 16 x 81 cells"
    for row in result["rows"]:
        assert (row["value"], row["min"], row["max"], row["unit"]) == (2, 1, 3, "ms")
    names = [row["name"] for row in result["rows"]]
    assert len(names) == len(set(names))
    assert "agent forward+backward 16x1659" in names


def test_rivals_compute_the_same_scan() -> None:
    left_out: list[str] = []
    rows = bench.scans(7, "cpu", 1, left_out)
    errors = [row["error"] for row in rows if "error" in row]
    assert len(errors) >= 3
    assert max(errors) < 1e-5
    assert {row["tokens"] for row in rows} == {7}


def test_what_takes_too_long_is_named(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PAIRS_AT_MOST", {"cpu": 100})
    left_out: list[str] = []
    rows = bench.mechanisms(81, 1, "cpu", 1, left_out, ("softmax", "squeeze"))  # 15 x 15 pairs
    assert {row["name"] for row in rows} == {
        "squeeze forward 1x81",
        "squeeze forward+backward 1x81",
    }
    assert left_out == ["softmax on 1 x 81 cells: would take too long"]


def test_turns_are_taken_and_slow_ones_have_fewer() -> None:
    order: list[str] = []
    runs = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    timings = bench.measure(runs, "cpu", 5)
    assert "".join(order) == "ab" + 5 * "ab"
    assert timings["a"].least <= timings["a"].median <= timings["a"].most
    order.clear()
    bench.measure(runs, "cpu", 5, seconds=0)
    assert "".join(order) == "ab" + 3 * "ab"


def test_peak_memory_counts_what_lives_at_once() -> None:
    def go() -> None:
        for _ in range(3):
            first = torch.ones(1000)
            second = first + 1
            del first, second

    assert 8000 <= bench.peak_memory(go, "cpu") < 9000


def test_a_ratio_needs_both_sides() -> None:
    rows = [{"name": "softmax forward+backward 16x1659", "value": 5.0}]
    assert bench.ratios(rows) == {}
    rows.append({"name": "agent forward+backward 16x1659", "value": 2.0})
    assert bench.ratios(rows) == {"agent_vs_sdpa_1659": 2.5}

"""Rows and ratios are whole, and what is left out is named."""

import json
from typing import Any

import pytest
import torch

from agents.bench import encoders as bench
from agents.bench import scan as bench_scan
from agents.bench.timing import Timing
from calm.errors import UsageError


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "MAPS", {81: (3, 5), 1659: (2, 3)})
    monkeypatch.setattr(bench, "DIM", 8)


def test_a_run_has_rows_ratios_and_the_machine(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(bench, "MAPS", {81: (9, 9), 1659: (21, 79)})
    for module in (bench, bench_scan):
        monkeypatch.setattr(module, "measure", lambda runs, *_: {k: Timing(2, 1, 3) for k in runs})
        monkeypatch.setattr(module, "peak_memory", lambda *_: 2**20)
    result = bench.run(True, lines.append, "cpu")
    json.dumps(result)
    assert result["bench"] == "encoders"
    assert result["machine"]["torch"] == torch.__version__
    assert result["ratios"]["agent_vs_sdpa_1659"] == 1
    assert lines[0] == "mechanisms on 16 x 81 cells"
    for row in result["rows"]:
        assert (row["value"], row["min"], row["max"], row["unit"]) == (2, 1, 3, "ms")
    names = [row["name"] for row in result["rows"]]
    assert len(names) == len(set(names))
    assert "agent forward+backward 16x1659" in names
    scans = bench.run(True, lines.append, "cpu", "scans", (81,))
    assert {row["name"].split(":")[0] for row in scans["rows"]} == {"scan"}
    assert {row["tokens"] for row in scans["rows"]} == {81}
    assert scans["ratios"]["scan_vs_best_81"] == 1
    mechanisms = bench.run(True, lines.append, "cpu", "mechanisms", (81,))
    assert {row["tokens"] for row in mechanisms["rows"]} == {81}
    assert not any(row["name"].startswith("scan:") for row in mechanisms["rows"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"device": "cuda:99"}, "unknown device 'cuda:99'"),
        ({"device": "cpu", "tokens": (7,)}, "at 7 tokens; valid here: 81, 1659"),
        ({"device": "cpu", "tokens": (81, 440)}, "at 440 tokens; valid here: 81, 1659"),
    ],
)
def test_a_device_or_size_that_is_not_there_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bench.run(True, print, **wrong)


def test_what_takes_too_long_is_named(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PAIRS_AT_MOST", {"cpu": 100})
    left_out: list[str] = []
    rows = bench.mechanisms(81, 1, "cpu", 1, left_out, ("softmax", "squeeze"))  # 15 x 15 pairs
    assert {row["name"] for row in rows} == {
        "squeeze forward 1x81",
        "squeeze forward+backward 1x81",
    }
    assert left_out == ["softmax on 1 x 81 cells: would take too long"]


def test_a_ratio_needs_both_sides() -> None:
    rows = [{"name": "softmax forward+backward 16x1659", "value": 5.0}]
    assert bench.ratios(rows) == {}
    rows.append({"name": "agent forward+backward 16x1659", "value": 2.0})
    assert bench.ratios(rows) == {"agent_vs_sdpa_1659": 2.5}


def test_the_best_rival_is_the_quickest() -> None:
    times = {"ours": 2.0, "unbind loop": 12.0, "mambapy": 8.0}
    rows = [{"name": f"scan: {k} forward+backward 440", "value": v} for k, v in times.items()]
    rows.append({"name": "scan: mambapy forward 440", "value": 0.5})
    assert bench.ratios(rows) == {"scan_vs_mambapy_440": 4.0, "scan_vs_best_440": 4.0}
    assert bench.ratios(rows[:2]) == {"scan_vs_best_440": 6.0}

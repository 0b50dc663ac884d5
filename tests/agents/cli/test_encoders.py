"""The commands about encoders, as a shell sees them."""

import json
from pathlib import Path

import pytest

from agents.bench import encoder_table
from agents.bench import encoders as bench_encoders
from agents.network.names import ENCODERS
from calm.errors import UsageError
from tests.support.command_line import calm


def test_every_encoder_is_listed_with_its_size_arithmetic_and_time() -> None:
    output = json.loads(calm("encoders", "--json"))
    rows = {row["name"]: row for row in output["encoders"]}
    assert tuple(rows) == ENCODERS
    assert all(0.5e6 <= row["parameters"] <= 1.5e6 for row in rows.values())
    # By hand, multiply-adds: 81 * 9 * 12 * 16 + 25 * 9 * 16 * 64 + 1600 * 256 (the map),
    # 12 * 32 (inventory) + 27 * 32 (status), (256 + 64 + 7) * 256 (joint).
    by_hand = 139_968 + 230_400 + 409_600 + 384 + 864 + 83_712
    assert rows["cnn"]["mflops"] == pytest.approx(2 * by_hand / 1e6)
    assert rows["cnn"]["times_cnn"] == 1
    assert rows["scan"]["mflops"] > rows["cnn"]["mflops"]
    assert all(0 < row["least_ms"] <= row["ms"] for row in rows.values())


def test_the_table_is_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = encoder_table.Entry("cnn", "convolutions alone", None, 577_884, 1.73, 0.7, 0.6, 1.0)
    monkeypatch.setattr(encoder_table, "table", lambda _: [entry])
    output = calm("encoders")
    assert "577,884" in output
    assert "1.0 x" in output


def test_what_weights_say_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"agent": (3, 5), "scan": (2, 5), "pooled": (0, 5)}
    monkeypatch.setattr(encoder_table, "MARKING", counts)
    assert {name: encoder_table.weights_say(name) for name in (*counts, "cnn")} == {
        "agent": "weights say much: they mark what matters in 3 of 5 agents",
        "scan": "weights say little: they mark what matters in 2 of 5 agents",
        "pooled": "weights say nothing: they mark what matters in 0 of 5 agents",
        "cnn": None,
    }


def test_bench_encoders_prints_rows_ratios_and_what_was_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = {
        "bench": "encoders",
        "rows": [
            {"name": "agent forward 1x81", "value": 1.5, "min": 1, "max": 2, "unit": "ms"},
            {"name": "agent backward 1x81", "value": 7, "min": 5, "max": 8, "unit": "ms"}
            | {"peak_mib": 23.5},
        ],
        "ratios": {"agent_vs_sdpa_1659": 4.25},
        "left_out": ["softmax on 256 x 6636 cells: would take too long"],
    }
    calls: list[object] = []
    monkeypatch.setattr(bench_encoders, "run", lambda *arguments: calls.append(arguments) or result)
    assert json.loads(calm("bench", "encoders", "--quick", "--json")) == result
    calm("bench", "encoders", "--only", "scans", "--tokens", 81, "--tokens", 440, "--device", "cpu")
    assert [(quick, *rest) for quick, _, *rest in calls] == [
        (True, None, None, ()),
        (False, "cpu", "scans", [81, 440]),
    ]
    output = calm("bench", "encoders")
    assert "1.5 " in output
    assert "peak MiB" in output
    assert "23.5" in output
    assert "agent_vs_sdpa_1659       4.25" in output
    assert "left out: softmax" in output


def test_explaining_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        calm("explain", tmp_path)

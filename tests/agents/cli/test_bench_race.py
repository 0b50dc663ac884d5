"""`calm bench race` hands on what is asked, and prints what comes out."""

import json
from typing import Any

import pytest

from agents.bench import race
from tests.support.command_line import calm

RESULT: dict[str, Any] = {
    "bench": "race",
    "machine": {"cpu": "a processor", "cores": 2},
    "rows": [{"name": "ours, training", "value": 7.0, "unit": "s", "min": 5.0, "max": 9.0}],
    "ratios": {"race_at_least": 2.5},
    "left_out": ["SB3, seed 0: at 40% of 90% when it was stopped"],
}


def test_what_is_measured_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def run(*call: Any, **more: Any) -> dict[str, Any]:
        calls.append((*call[:4], more))
        return RESULT

    monkeypatch.setattr(race, "run", run)
    assert json.loads(calm("bench", "race", "--json")) == RESULT
    table = calm("bench", "race", "KeyRoom-S5", "--seeds", "3", "--goal", "0.5", "--set", "crop=5")
    assert "race_at_least" in table
    assert "left out: SB3, seed 0: at 40% of 90%" in table
    assert calls == [
        ("KeyRoom-S15", 1, 0.9, 2_000_000, {}),
        ("KeyRoom-S5", 3, 0.5, 2_000_000, {"crop": 5}),
    ]

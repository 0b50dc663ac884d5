"""`calm bench env` prints what the bench returns, as a table or as JSON."""

import json
from typing import Any

import pytest

from envs.bench import stepping
from tests.support.command_line import calm

RESULT: dict[str, Any] = {
    "bench": "env",
    "machine": {"cpu": "a processor", "cores": 2},
    "rows": [
        {"name": "ours", "task": "t", "value": 7.0, "unit": "steps/s", "min": 5.0, "max": 9.0}
    ],
    "ratios": {"minihack": 3.5},
    "by_task": {},
    "missing": [],
}


def test_what_is_measured_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    monkeypatch.setattr(stepping, "run", lambda *args: calls.append((*args[:2], args[3])) or RESULT)
    assert json.loads(calm("bench", "env", "Eat", "--quick", "--json")) == RESULT
    table = calm("bench", "env")
    assert "ours" in table
    assert "minihack" in table
    calm("bench", "env", "Eat", "--no-peers")
    assert calls == [(["Eat"], True, True), ((), False, True), (["Eat"], False, False)]

"""`calm bench judge`: what it hands on, and what it prints."""

import json
from typing import Any

import pytest

from tests.support.command_line import calm

ROW = {"name": "x", "value": 2.0, "unit": "1/s", "min": 1.0, "max": 3.0}


@pytest.mark.parametrize("words", [[], ["--quick"]])
def test_the_report_is_printed_as_a_table_or_as_json(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick: list[bool] = []

    def run(wanted: bool, say: Any) -> dict[str, Any]:
        quick.append(wanted)
        return {"bench": "judge", "machine": {}, "rows": [ROW], "ratios": {"ideal_50": 0.5}}

    monkeypatch.setattr("calm.bench.judge.run", run)
    assert json.loads(calm("bench", "judge", *words, "--json"))["ratios"] == {"ideal_50": 0.5}
    text = calm("bench", "judge", *words)
    assert "calm bench judge" in text
    assert "ideal_50" in text
    assert quick == [bool(words)] * 2

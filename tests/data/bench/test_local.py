"""The bench of local models, with a stand-in that says yes to everything."""

from pathlib import Path

import pytest

from data.bench.local import run
from tests.support.standin import standin
from tests.support.tiny_gguf import write_gguf


def test_it_counts_judgements_tokens_and_agreement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("CALM_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("calm.local.lease.SERVER", standin())
    monkeypatch.setattr("calm.judges.local.SERVING", "json")
    model = write_gguf(tmp_path / "tiny.gguf")
    lines: list[str] = []
    report = run([str(model)], questions=5, server={"threads": 1}, quick=True, say=lines.append)
    assert report["bench"] == "local"
    assert report["machine"]["questions"] == 5
    rows = {row["name"]: row for row in report["rows"]}
    for at in ("in all slots", "one at a time"):
        named = f"tiny.gguf, booleans, {at}: "
        assert rows[named + "judgements"]["value"] > 0
        assert rows[named + "requests"]["value"] == 5
        assert rows[named + "answer"]["value"] == 7
        assert rows[named + "reused"]["value"] == 0
        assert rows[named + "unreadable"]["value"] == 0
        assert rows[named + "agreement"]["value"] == 0  # always yes agrees with nothing
    assert set(report["ratios"]) == {"tiny.gguf at_once"}
    assert lines == [
        f"round 1: {model}, booleans, {at}" for at in ("in all slots", "one at a time")
    ]

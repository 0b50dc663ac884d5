"""What the doctor finds, and whether its remedy fits."""

from pathlib import Path

import pytest

from agents.cli import health
from calm.errors import UsageError
from tests.support.tiny_gguf import write_gguf


@pytest.fixture(autouse=True)
def _only_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PACKAGES", {})
    monkeypatch.setattr(health, "_play", lambda: "played")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_store_that_is_not_there_is_no_matter_of_space(tmp_path: Path) -> None:
    finding = {f.name: f for f in health.examine(store=tmp_path / "absent.sqlite")}["store"]
    assert not finding.good
    assert "no store at" in finding.detail
    assert finding.remedy == "name a store that is there and whole, or leave --store out"
    assert list(tmp_path.iterdir()) == []


def test_local_models_are_told_with_what_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALM_MODELS", str(tmp_path))
    monkeypatch.setattr("calm.judges.local.SERVING", "no_such_module")
    assert "pip install 'calm-credit[local]'" in health.local_models()
    monkeypatch.setattr("calm.judges.local.SERVING", "pytest")
    assert "none pulled" in health.local_models()
    write_gguf(tmp_path / "mine.gguf")
    assert "mine.gguf (0 MB, 4 slots)" in health.local_models()
    write_gguf(tmp_path / "base.gguf", **{"tokenizer.chat_template": None})
    with pytest.raises(UsageError, match="base model"):
        health.local_models()

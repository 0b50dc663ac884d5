"""What the doctor finds, and whether its remedy fits."""

from pathlib import Path

import pytest

from agents.cli import health


@pytest.fixture(autouse=True)
def _only_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PACKAGES", {})
    monkeypatch.setattr(health, "_play", lambda: "played")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_store_that_is_not_there_is_no_matter_of_space(tmp_path: Path) -> None:
    found = {f.name: f for f in health.examine(store=tmp_path / "absent.sqlite")}["store"]
    assert not found.good
    assert "no store at" in found.detail
    assert found.remedy == "name a store that is there and whole, or leave --store out"
    assert list(tmp_path.iterdir()) == []

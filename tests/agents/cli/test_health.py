"""What the doctor finds, and whether its remedy fits."""

from pathlib import Path

import pytest

from agents.cli import health
from calm.errors import UsageError
from calm.local.registry import BestForm, KnownModel
from calm.local.weights import weights_at
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
    write_gguf(tmp_path / "part.gguf", **{"split.count": 2})
    write_gguf(tmp_path / "smollm2-135m.gguf")
    with pytest.raises(UsageError) as raised:  # each with its reason, after what can be asked
        health.local_models()
    good, *bad = str(raised.value).split("; ")[1:]
    assert good == "mine.gguf (0 MB, 4 slots)"
    text = "; ".join(bad)
    for name, reason in (
        ("base.gguf", "base model"),
        ("part.gguf", "one of 2 files"),
        ("smollm2-135m", "not the weights of this name"),
    ):
        assert f"{name}: " in text
        assert reason in text


def test_how_a_measured_model_judges_best_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALM_MODELS", str(tmp_path))
    monkeypatch.setattr("calm.judges.local.SERVING", "pytest")
    path = write_gguf(tmp_path / "mine.gguf")
    best = BestForm("lines", {"*": 0.72}, "MCC .98")
    known = {weights_at(path).sha256: KnownModel("any", "Any", "mit", 1, "0", best=best)}
    monkeypatch.setattr("calm.judges.local.known_weights", known.get)
    assert "4 slots, judges best with --form lines --thresholds 0.72)" in health.local_models()


def test_a_model_that_does_not_fit_is_told_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALM_MODELS", str(tmp_path))
    monkeypatch.setattr("calm.judges.local.SERVING", "pytest")
    monkeypatch.setattr("calm.local.machine.free_memory", lambda: 1e6)
    write_gguf(tmp_path / "mine.gguf")
    with pytest.raises(UsageError, match=r"mine\.gguf: the model does not fit into memory"):
        health.local_models()

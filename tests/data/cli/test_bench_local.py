"""`calm bench local`: what it hands on, and what it refuses before any model is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest

from calm.asking.form import FORMS
from calm.errors import UsageError
from tests.support.command_line import calm

REPORT: dict[str, Any] = {"bench": "local", "machine": {}, "rows": [], "ratios": {"m at_once": 2.0}}


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALM_MODELS", str(tmp_path))


def test_models_and_forms_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], list[str], dict[str, Any]]] = []

    def run(models: list[str], forms: list[str], **more: Any) -> dict[str, Any]:
        calls.append((models, forms, more))
        return REPORT

    monkeypatch.setattr("data.bench.local.run", run)
    words = ("--model", "a.gguf", "--model", "b.gguf", "--threads", 2, "--questions", 9)
    assert json.loads(calm("bench", "local", *words, "--json")) == REPORT
    [(models, forms, more)] = calls
    assert (models, forms) == (["a.gguf", "b.gguf"], list(FORMS))
    assert (more["questions"], more["server"]) == (9, {"threads": 2, "slots": None})


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "no model is here"),
        (["--model", "m.gguf", "--mode", "map"], "unknown description 'map'"),
        (["--model", "m.gguf", "--form", "rhyme"], "unknown form of answer 'rhyme'"),
    ],
)
def test_what_cannot_be_run_is_refused(words: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        calm("bench", "local", *words)

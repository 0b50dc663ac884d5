"""A local model where a judge is named: a stand-in holds the weights."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from calm.cli.main import build
from tests.support.standin import standin
from tests.support.tiny_gguf import write_gguf


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("CALM_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("calm.local.lease.SERVER", standin())
    monkeypatch.setattr("calm.judges.local.SERVING", "json")


def test_annotate_and_evaluate_ask_it(tmp_path: Path) -> None:
    model = f"local:{write_gguf(tmp_path / 'tiny.gguf')}"
    store = str(tmp_path / "s.sqlite")
    common = ["--judge", model, "--limit", "4", "--store", store, "--json"]
    done = CliRunner().invoke(build(), ["annotate", *common], catch_exceptions=False)
    assert done.exit_code == 0
    assert "loading tiny-model-3@" in done.stderr
    assert json.loads(done.stdout)
    loaded = []
    for _ in range(2):
        done = CliRunner().invoke(build(), ["evaluate", *common], catch_exceptions=False)
        assert done.exit_code == 0
        assert model in {s["judge"] for s in json.loads(done.stdout)["tables"][0]["scores"]}
        loaded.append("loading tiny-model-3@" in done.stderr)
    assert loaded == [True, False]  # the second time all of it is in the store

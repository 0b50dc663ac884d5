"""`calm models`: what is listed, fetched, served and removed."""

import json
import signal
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from calm.cli.main import build
from calm.errors import UsageError
from tests.support.processes import eventually, line, python
from tests.support.tiny_gguf import write_gguf


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("CALM_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def calm(*args: str) -> Result:
    return CliRunner().invoke(build(), list(args), catch_exceptions=False)


def rows() -> dict[str, dict[str, str]]:
    listed = json.loads(calm("models", "list", "--json").stdout)["models"]
    return {row["name"]: row for row in listed}


def test_a_file_is_pulled_listed_and_removed(tmp_path: Path, models: Path) -> None:
    assert set(rows()) == {"smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"}
    done = calm("models", "pull", str(write_gguf(tmp_path / "mine.gguf")))
    assert done.exit_code == 0
    assert "Licence: mit" in done.stderr
    assert "ask it with --judge local:" in done.stderr
    row = rows()["mine.gguf"]
    assert row["path"] == str(models / "mine.gguf")
    assert (row["title"], row["licence"], row["problem"]) == ("Tiny Model 3", "mit", "")
    shown = calm("models", "list").stdout
    assert "local:mine.gguf" in shown
    assert "local:smollm2-135m" in shown
    assert calm("models", "remove", "mine.gguf").exit_code == 0
    assert "mine.gguf" not in rows()


def test_what_cannot_be_asked_is_listed_with_the_reason(models: Path) -> None:
    write_gguf(models / "base.gguf", **{"tokenizer.chat_template": None})
    (models / "page.gguf").write_text("<html>")
    write_gguf(models / "smollm2-135m.gguf")
    listed = rows()
    assert "can't judge" in listed["base.gguf"]["problem"]
    assert "does not begin with GGUF" in listed["page.gguf"]["problem"]
    assert "not the weights of this name" in listed["smollm2-135m"]["problem"]
    with pytest.raises(UsageError, match="no chat template"):
        calm("models", "serve", "base.gguf")


SERVE = """
import sys
from calm.cli.main import main
from calm.judges import local
from calm.local import lease
from tests.support.standin import standin
lease.SERVER, local.SERVING = standin(), "json"
sys.argv = ["calm", "models", "serve", sys.argv[1], "--threads", "1"]
main()
"""


def test_serving_ends_with_ctrl_c_and_leaves_nothing(tmp_path: Path) -> None:
    model = write_gguf(tmp_path / "mine.gguf")
    with python("-c", SERVE, model, stderr=subprocess.DEVNULL) as serving:
        assert line(serving).startswith("http://127.0.0.1:")
        (state,) = (tmp_path / "calm").glob("*/state.json")
        serving.send_signal(signal.SIGINT)
        assert serving.wait(120) == 130
    assert eventually(lambda: not state.exists())

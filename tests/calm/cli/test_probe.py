"""`calm probe`: what an endpoint can do."""

import json
from pathlib import Path

import pytest

from calm.loopback import Loopback
from tests.support.kitchen import RULES, calm


def test_probe_prints_the_card(folder: Path) -> None:
    with Loopback(RULES) as server:
        done = calm("probe", server.url, "--no-concurrency", "--json", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["model"] == "loopback"
        # It judges and names subgoals; what the probe asks is beyond it, and that is said.
        assert "the simplest answer could not be read (invalid: missing: sky, grass" in done.stderr
        wrong = server.url.replace("/v1", "/wrong")
        done = calm("probe", wrong, cwd=folder)
    assert done.returncode == 5
    assert f"{wrong} knows no such page" in done.stderr
    assert "model" not in done.stderr


def test_what_measures_an_endpoint_is_not_asked_of_an_owner(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALM_OWNER", "http://127.0.0.1:9")
    for words in (["probe", "http://127.0.0.1:9/v1"], ["bench", "judge"]):
        done = calm(*words, cwd=folder)
        assert done.returncode == 2
        command = "calm probe" if words[0] == "probe" else "calm bench judge"
        assert f"run it without: env -u CALM_OWNER {command}" in " ".join(done.stderr.split())

"""`calm watch`: what it refuses, and how it ends."""

from __future__ import annotations

import signal
import urllib.request
from pathlib import Path

import pytest

from calm.errors import UsageError
from tests.support.command_line import run_calm as calm
from tests.support.measured_runs import run
from tests.support.processes import line, python


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["empty"], "empty is empty: expected the folder of a run"),
        (["runs", "nowhere"], "nowhere is not there"),
        (["runs", "--data", "keyroom-v2"], "keyroom-v2"),
        (["runs", "--labels", "nowhere.sqlite"], "nowhere.sqlite: no labels yet"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    words: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    run(Path("runs/a"), 0, 0.5)
    result = calm("watch", *words)
    assert isinstance(result.exception, UsageError)
    assert reason in str(result.exception)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_serves_until_a_signal_and_leaves_the_folder_as_it_was(
    number: int, code: int, tmp_path: Path
) -> None:
    one = run(tmp_path / "a", 0, 0.5)
    before = sorted(path.name for path in one.folder.iterdir())
    with python("-m", "calm", "watch", one.folder, "--port", "0", cwd=tmp_path) as server:
        url = line(server).split()[2]
        with urllib.request.urlopen(f"{url}state", timeout=60) as answer:
            assert b'"success":[0.5,' in answer.read()
        server.send_signal(number)
        assert server.wait(60) == code
    assert sorted(path.name for path in one.folder.iterdir()) == before

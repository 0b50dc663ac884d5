"""`calm explain` prints what was drawn, and draws it into the run's report."""

import json
from pathlib import Path

import pytest

from agents.inspection.saliency import explain
from agents.inspection.saliency.explain import Explanation
from tests.support import measured_runs
from tests.support.command_line import calm


def test_what_was_drawn_is_told_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = measured_runs.run(tmp_path / "run", 0, 0.5, 0.9)
    drawn = Explanation(str(run.folder), "cnn", [], [str(run.folder / "explain.html")])
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(explain, "explain_run", lambda *a: calls.append(a) or drawn)
    assert calm("explain", run.folder).splitlines()[-1] == f"drawn in {drawn.files[-1]}"
    assert (run.folder / "report.html").is_file()
    output = calm("explain", run.folder, "--hide", 3, "--seed", 5, "--json")
    assert json.loads(output)["encoder"] == "cnn"
    assert calls == [(run.folder, 6, 512, 8, 0), (run.folder, 6, 512, 3, 5)]

"""The report says what was measured, needs nothing beside it, and escapes what the game says."""

import json
import re
from pathlib import Path

from markupsafe import escape

from agents.report.page import Report, Sample, report_runs, started_with
from agents.report.tables import Arm, Table
from tests.support.measured_runs import run


def test_the_report_holds_the_figures_and_asks_for_nothing_else(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a", 0, 0.0, 0.96), run(tmp_path / "b", 1, 0.0, 0.1)]
    runs[0].note_resumed(1000)
    html = report_runs(runs, tmp_path / "report.html").read_text("utf-8")
    assert "96 % [86 %, 100 %]" in html
    assert "not reached" in html
    assert "interrupted" in html
    assert "<svg" in html
    outside = re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)([^"']+)""", html)
    assert not outside, outside
    assert "default-src 'none'" in html


def test_a_report_of_runs_of_two_commits_names_both(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a", 0, 0.5), run(tmp_path / "b", 1, 0.5)]
    start = runs[0].started_with
    (tmp_path / "b" / "provenance.json").write_text(json.dumps(start | {"commit": "another"}))
    provenance = started_with(runs)
    assert provenance == start | {"commit": f"{start['commit']}, another"}
    assert provenance["commit"] in report_runs(runs, tmp_path / "report.html").read_text("utf-8")


def test_game_text_is_escaped(tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>"
    sample = Sample(nasty, escape(nasty), nasty, [nasty], [])
    report = Report(
        title="t",
        arms=[Arm(nasty, [run(tmp_path / "a", 0, 0.5)])],
        evaluation=Table(["judge"], [[nasty]]),
        samples=[sample],
    )
    html = report.write(tmp_path / "r.html").read_text("utf-8")
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 5

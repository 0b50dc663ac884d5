"""The report says what was measured, needs nothing beside it, and escapes what the game says."""

import re
from pathlib import Path

from markupsafe import escape

from agents.config import TrainConfig
from agents.report import Arm, Report, Sample, Table, report_runs, steps_to
from agents.run import Run


def rows(*successes: float) -> list[dict]:
    return [
        {
            "steps": 1000 * (i + 1),
            "success": s,
            "success_low": max(0, s - 0.1),
            "success_high": min(1, s + 0.1),
            "episodes": 50,
            "test_return_env": s,
            "seconds": float(i + 1),
        }
        for i, s in enumerate(successes)
    ]


def run(folder: Path, seed: int, *successes: float) -> Run:
    made = Run.create(folder, TrainConfig(judge="none", seed=seed))
    made.write_metrics(rows(*successes))
    return made


def test_steps_to_a_rate() -> None:
    assert steps_to(rows(0.0, 0.95, 0.5, 1.0), 0.9) == 2000
    assert steps_to(rows(0.0, 0.5), 0.9) is None


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


def test_game_text_is_escaped(tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>"
    sample = Sample(nasty, escape(nasty), escape(nasty), nasty, [nasty], [])
    report = Report(
        title="t",
        arms=[Arm(nasty, [run(tmp_path / "a", 0, 0.5)])],
        evaluation=Table(["judge"], [[nasty]]),
        samples=[sample],
    )
    html = report.write(tmp_path / "r.html").read_text("utf-8")
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 6

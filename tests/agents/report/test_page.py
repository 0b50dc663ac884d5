"""The report says what was measured, needs nothing beside it, and escapes what the game says."""

import json
import re
from pathlib import Path

from markupsafe import escape

from agents.report.page import (
    Arm,
    Report,
    Sample,
    Table,
    arms_of,
    arms_table,
    report_runs,
    settings_table,
    started_with,
    steps_to,
)
from agents.training.config import TrainConfig
from agents.training.run_folder import Run


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


def test_only_runs_that_differ_in_nothing_but_their_seed_are_one_arm(tmp_path: Path) -> None:
    configs = [
        TrainConfig(judge="none", seed=3),
        TrainConfig(judge="none", seed=2, penalty=True, keys=("glyphs_crop", "blstats")),
        TrainConfig(judge="none", seed=5),
        TrainConfig(judge="rules", seed=7, penalty=True),
    ]
    runs = [Run.create(tmp_path / str(i), config) for i, config in enumerate(configs)]
    arms = arms_of(runs)
    assert [(arm.label, [run.config.seed for run in arm.runs]) for arm in arms] == [
        ("KeyRoom-S5-none-cnn, penalty=False, keys=glyphs_crop, inv_glyphs, blstats", [3, 5]),
        ("KeyRoom-S5-none-cnn, penalty=True, keys=glyphs_crop, blstats", [2]),
        ("KeyRoom-S5-rules-once-cnn", [7]),
    ]
    assert arms[0].title(runs[2]) == f"{arms[0].label}, seed 5"
    table = settings_table(arms)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["seed"] == ("3, 5", "2", "7")
    assert rows["penalty"] == ("False", "True", "True")
    assert rows["encoder"] == ("cnn (all)", "", "")


def test_a_report_of_runs_of_two_commits_names_both(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a", 0, 0.5), run(tmp_path / "b", 1, 0.5)]
    told = runs[0].started_with
    (tmp_path / "b" / "provenance.json").write_text(json.dumps(told | {"commit": "another"}))
    found = started_with(runs)
    assert found == told | {"commit": f"{told['commit']}, another"}
    assert found["commit"] in report_runs(runs, tmp_path / "report.html").read_text("utf-8")


def test_90_percent_at_the_first_evaluation_is_at_step_0(tmp_path: Path) -> None:
    made = run(tmp_path / "a", 0)
    made.write_metrics([rows(0.95)[0] | {"steps": 0}])
    table = arms_table([Arm("lucky", [made])])
    assert dict(zip(table.columns, table.rows[0], strict=True))["steps to 90 %"] == "0"


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


def test_a_trained_run_says_what_it_was_trained_on(tmp_path: Path) -> None:
    table = arms_table(arms_of([run(tmp_path / "a", 0, 0.5)]))
    reward = table.rows[0][list(table.columns).index("reward it trains on")]
    assert reward.startswith("the task's own, without its -0.01")

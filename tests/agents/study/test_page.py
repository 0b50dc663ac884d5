"""The report and the results' folder hold the figures, and where they come from."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from agents.report.tables import Table
from agents.study.findings import find
from agents.study.page import readme_table, write_study
from agents.study.tables import cost_table, markdown, success_table
from tests.support import study_cells
from tests.support.browser import Browser, executable


def test_all_is_written_and_needs_nothing_else(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    folder, report = tmp_path / "results", tmp_path / "out" / "report.html"
    write_study(plan, study_cells.study(plan), folder, report, "calm study small --seeds 3")
    html = report.read_text("utf-8")
    for text in (
        "94 % [92, 96]",
        "calm study small --seeds 3",
        "c2",
        "a machine",
        "300 [300, 300], in 3 of 3",
        "&gt; 400, in none of 3",
        "farms",
    ):
        assert text in html, text
    assert html.count("<svg") == 6  # three, each for a screen and for a telephone
    outside = re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)([^"']+)""", html)
    assert not outside, outside
    readme = (folder / "README.md").read_text("utf-8")
    pictures = re.findall(r'\b(?:src|srcset)="(.*?)"', readme)
    assert len(pictures) == 6
    for picture in pictures:
        assert (folder / picture).read_text("utf-8").startswith("<svg")
    assert "$ calm study small --seeds 3" in readme
    assert "3 cells at commit c1 on a machine" in readme
    rows = list(csv.DictReader((folder / "success.csv").read_text("utf-8").splitlines()))
    assert [row["success at the end"] for row in rows if row["agent"] == "rules"] == [
        "94 % [92, 96]"
    ]


def test_arms_that_no_figure_of_the_plan_has_are_drawn_together(tmp_path: Path) -> None:
    plan = replace(study_cells.plan(tmp_path), figures={"one": ["every"]})
    some = [r for r in study_cells.study(plan) if r.cell.arm != "every"]
    write_study(plan, some, tmp_path / "results", tmp_path / "report.html")
    drawn = (tmp_path / "results" / "success.svg").read_text("utf-8")
    assert all(label in drawn for label in ("agents", "unshaped", "rules"))


def test_the_summary_has_arms_against_tasks(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    some = [r for r in study_cells.study(plan) if r.cell.arm != "every"]
    lines = readme_table(plan, find(plan, some)).splitlines()
    assert lines[0] == "| agent | KeyRoom-S5, 400 steps, 3 seeds |"
    assert lines[2].startswith("| unshaped | 10 % [0, 20]; never |")
    assert lines[3] == "| rules | 94 % [92, 96]; 300 |"
    assert len(lines) == 4


def test_what_a_noisy_judge_came_to_in_training_is_shown(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    noisy = study_cells.result(plan, "rules", 0, 0.2)
    noisy.rows[-1].update(judge_precision=0.6, judge_recall=0.35)
    table = cost_table(plan, find(plan, [noisy, study_cells.result(plan, "fair", 0, 0.1)]))
    at = table.columns.index("precision heard")
    assert [row[at : at + 2] for row in table.rows] == [("–", "–"), ("0.60", "0.35")]


def test_likeliest_actions_are_told_by_seed(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    table = success_table(plan, find(plan, study_cells.study(plan)))
    assert [row[-1] for row in table.rows] == ["0 5 10", "46 47 48", "0 5 10"]
    first = find(plan, [study_cells.result(plan, "fair", 0, 0.5)])  # evaluated once, not so
    assert success_table(plan, first).rows[0][-1] == "–"


def test_a_cell_of_a_table_can_not_break_it() -> None:
    assert markdown(Table(("a", "b"), [("x|y", 2)])) == "| a | b |\n| --- | --- |\n| x\\|y | 2 |\n"


@pytest.mark.slow
@pytest.mark.skipif(executable() is None, reason="no Chromium here")
def test_a_telephone_shows_the_narrow_figures_and_the_dark_their_dark_ground(
    tmp_path: Path,
) -> None:
    plan = study_cells.plan(tmp_path)
    report = tmp_path / "report.html"
    write_study(plan, study_cells.study(plan), tmp_path / "results", report)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    with Browser(tmp_path / "profile") as text:
        text.send("Emulation.setEmulatedMedia", features=dark)
        for width, class_ in ((390, "narrow"), (1200, "wide")):
            text.resize(width, 800)
            text.open(report.as_uri())
            assert text.js("document.documentElement.scrollWidth") <= width
            of = text.js(
                "[...document.querySelectorAll('svg')].filter(s => s.getClientRects().length)"
                ".map(s => s.parentElement.className)"
            )
            assert of == [class_] * 3
        ground = text.js("getComputedStyle(document.querySelector('#patch_1 path')).fill")
        assert ground == "rgb(25, 25, 24)"
        assert text.complaints() == []

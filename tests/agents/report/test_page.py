"""The report says what was measured, needs nothing beside it, and escapes what the game says."""

import json
import re
from pathlib import Path

import pytest
from markupsafe import escape

from agents.report.page import Report, report_runs, started_with
from agents.report.samples import Sample
from agents.report.tables import Arm, Table
from calm.records import Judgement, Verdict
from tests.support.browser import Browser, executable
from tests.support.measured_runs import rows, run


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


@pytest.mark.skipif(executable() is None, reason="no Chromium on this machine")
def test_on_a_phone_no_cell_is_as_narrow_as_a_word(tmp_path: Path) -> None:
    """What an agent is paid is a sentence, which stood on fourteen lines, a word each."""
    path = report_runs([run(tmp_path / "a", 0, 0.0, 0.96)], tmp_path / "report.html")
    with Browser(tmp_path / "profile") as page:
        page.resize(390, 844)
        page.open(path.as_uri())
        assert page.js("document.documentElement.scrollWidth") == 390  # tables scroll, not the page
        lines = (
            "[...document.querySelectorAll('td')].map(c => c.getBoundingClientRect().height / 24)"
        )
        assert max(page.js(lines)) < 6
        chart = "document.querySelector('svg.chart')"
        assert 300 < page.js(f"{chart}.getBoundingClientRect().width") <= 390
        ink = f"getComputedStyle({chart}).fill"
        light = page.js(ink)
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        page.send("Emulation.setEmulatedMedia", features=dark)
        assert page.js(ink) != light
        assert page.complaints() == []


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


def test_a_runs_report_has_its_judges_words_and_escapes_them(tmp_path: Path) -> None:
    measured = run(tmp_path / "a", 0, 0.5)
    page = tmp_path / "report.html"
    assert "own words" not in report_runs([measured], page).read_text("utf-8")
    judgement = Judgement(Verdict.OK, {"take": True}, {"take": 0.83}, "Yes <i>indeed</i>")
    lost = Judgement(Verdict.REFUSED, raw="I can't", reason="refusal")
    measured.write_words({"The key.": judgement, "The door.": lost})
    assert measured.words() == {"The key.": judgement, "The door.": lost}
    html = report_runs([measured], page).read_text("utf-8")
    assert "Yes &lt;i&gt;indeed&lt;/i&gt;" in html
    assert "<td>0.83</td>" in html
    assert "Judged: unreadable (refused: refusal)" in html
    assert "Truth:" not in html  # nobody knows it of what training met


def test_a_report_shows_each_subgoal_over_time_and_what_to_type_for_more(tmp_path: Path) -> None:
    one = run(tmp_path / "a", 0, 0.5)
    page = tmp_path / "report.html"
    assert "Subgoals on held-out levels" not in report_runs([one], page).read_text("utf-8")
    counted = [{"source": "truth", "subgoal": "take the key", "share": s} for s in (0.25, 0.75)]
    one.write_metrics([r | {"subgoals": [c]} for r, c in zip(rows(0.1, 0.5), counted, strict=True)])
    html = report_runs([one], page).read_text("utf-8")
    assert "Subgoals on held-out levels" in html
    assert html.count("<svg") == 2
    referred = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', html))
    own = [id for id in referred if not id.startswith("DejaVu")]  # letters are the same in all
    assert own
    assert all(html.count(f' id="{id}"') == 1 for id in own)  # no chart uses another's
    for command in ("replay", "explain", "watch"):
        assert f"{command} {one.folder}</code>" in html


def test_agents_are_called_what_the_reader_likes(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a", 0, 0.5), run(tmp_path / "b", 1, 0.5)]
    html = report_runs(runs, tmp_path / "r.html", ["b=No <credit>"]).read_text("utf-8")
    assert "No &lt;credit&gt;, seed 1" in html
    assert "KeyRoom-S5-none-cnn, seed" not in html

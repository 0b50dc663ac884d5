"""The report holds everything, runs nothing but its own script, and loads nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from calm.records import (
    Judgement,
    LabelledTransition,
    Screen,
    Subgoal,
    Task,
    Transition,
    Usage,
    Verdict,
)
from data.evaluation.evaluate import EvaluationTable, evaluate
from data.report.page import calibration_plot, quality_plot, write_report
from tests.support.browser import Browser, executable
from tests.support.scripted_judge import Scripted

EVIL = "<script>alert(1)</script>"
KEY, DOOR = Subgoal("key", "."), Subgoal("door", ".")
TASK = Task("MiniHack-KeyRoom-S5-v0", "win", (KEY, DOOR))


def row(i: int) -> LabelledTransition:
    kind = ("key", "door", "none")[i % 3]
    frame = Screen(f"{EVIL}\n |.@| {i}", "7" * 25 + "\n" + "7" * 8)
    return LabelledTransition(
        Transition(TASK.id, {"events": f"{kind} {EVIL} {i}"}, f"act <{i}>", f"e{i}", i),
        {"key": kind == "key", "door": kind == "door"},
        {},
        frame,
        frame,
    )


def model(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
    usage = Usage(1, 90, 0, 10, 0.25, None)
    if t.step == 0:
        return Judgement(Verdict.INVALID, raw=f"{EVIL} & so on", reason="prose", usage=usage)
    achieved = {s.name: t.texts["events"].startswith(s.name) for s in subgoals}
    confidence = {k: 0.8 if v else 0.3 for k, v in achieved.items()}
    return Judgement(Verdict.OK, achieved, confidence, "{}", usage=usage)


@pytest.fixture
def table() -> EvaluationTable:
    always = Scripted("always-no", lambda g, t: Judgement(Verdict.OK, {s.name: False for s in g}))
    return evaluate([Scripted("openai:m", model), always], [row(i) for i in range(9)], TASK)


def test_one_file_escaped_and_complete(table: EvaluationTable, tmp_path: Path) -> None:
    path = tmp_path / "evaluate.html"
    write_report(path, [table], "A <title>")
    html = path.read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["evaluate.html"]
    assert EVIL not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on" in html
    assert "A &lt;title&gt;" in html
    assert html.count("<script") == 1
    assert not re.search(r"(src|href)=|url\(|@import|http-equiv=.refresh", html)
    assert "Mixtral-8x7B" in html  # the paper's design, so the paper's rows
    assert "prefers-color-scheme" in html or "light-dark(" in html
    assert "@media print" in html
    # One dispute: the unreadable one. always-no would differ on six, but does not read.
    assert html.count("<details") == 1
    assert "invalid: prose" in html


def test_the_trivial_alone_are_shown_too(tmp_path: Path) -> None:
    always = Scripted("always-no", lambda g, t: Judgement(Verdict.OK, {s.name: False for s in g}))
    table = evaluate([always], [row(i) for i in range(9)], TASK)
    write_report(tmp_path / "r.html", [table], "t")
    assert (tmp_path / "r.html").read_text().count("<details") == 6


def test_plots(table: EvaluationTable) -> None:
    judged, trivial = table.scores
    curve = calibration_plot(judged)
    # 16 readable answers: 5 said at 0.8 (all so), 11 at 0.3 (none so).
    assert curve.count("<circle") == 2
    assert "11 answers" in curve
    assert 'cx="176.0" cy="0.0"' in curve
    assert calibration_plot(trivial) == ""
    assert "100 tokens" in quality_plot(table.scores)
    assert quality_plot([trivial]) == ""


@pytest.mark.skipif(executable() is None, reason="no Chromium on this machine")
def test_in_a_browser(table: EvaluationTable, tmp_path: Path) -> None:
    path = tmp_path / "evaluate.html"
    write_report(path, [table], "Report")
    with Browser(tmp_path / "profile") as page:
        page.resize(360, 800)
        page.open(path.as_uri())
        assert page.js("document.documentElement.scrollWidth") == 360
        shown = "document.querySelector('output').textContent"
        assert page.js(shown) == "1"
        page.js("document.querySelectorAll('select')[1].value = 'none'")
        page.js("document.querySelectorAll('select')[1].dispatchEvent(new Event('change'))")
        assert page.js(shown) == "0"
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        light = page.js("getComputedStyle(document.body).backgroundColor")
        page.send("Emulation.setEmulatedMedia", features=dark)
        assert page.js("getComputedStyle(document.body).backgroundColor") != light
        assert page.complaints() == []
        assert page.requested() <= {path.as_uri(), "about:blank"}

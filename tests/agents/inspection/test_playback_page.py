"""The page that plays episodes: whole, harmless, and moving in a real browser if there is one."""

import json
import re
from pathlib import Path

import pytest

from agents.inspection.playback_page import write_page
from tests.support.browser import Browser, executable
from tests.support.recorded import NASTY, recording


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return write_page(recording(), tmp_path / "replay.html", f"run {NASTY}")


def data(page: Path) -> dict:
    content = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text()
    )
    assert content
    return json.loads(content[1])


def test_it_holds_every_frame_and_lines_only_where_they_change(page: Path) -> None:
    content = data(page)
    assert content["subgoals"] == ["go east", NASTY, "rest"]
    first = content["episodes"][0]["frames"]
    assert [f["map"] for f in first] == [
        [["@....", "f8888"]],
        [[".@...", "8f888"]],
        [["..@..", "88f88"]],
        [["...@.", "888f8"]],
    ]
    assert [f["credit"] for f in first] == [0, 1, 0, 2]
    assert first[3]["end"] == "reached it"
    assert content["episodes"][1]["level"] == 71


def test_a_line_that_stays_is_not_written_again(tmp_path: Path) -> None:
    still = recording()
    still.episodes[1][:] = [still.episodes[1][0], still.episodes[1][0]]
    content = data(write_page(still, tmp_path / "replay.html", "still"))
    assert [f["map"] for f in content["episodes"][1]["frames"]] == [[["@....", "f8888"]], [0]]


def test_nothing_from_outside_and_no_text_becomes_markup(page: Path) -> None:
    html = page.read_text()
    assert "default-src 'none'" in html
    assert not re.search(r"""(?:src|href)=["']?http|url\(|@import|fetch\(""", html)
    assert "<img" not in html
    assert html.count("</script>") == 2
    assert "&lt;/script&gt;" in html  # the title
    assert "innerHTML" not in html


@pytest.mark.slow
@pytest.mark.skipif(executable() is None, reason="no Chromium here")
def test_a_browser_plays_it_to_the_end_and_takes_keys(page: Path, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.open(page.as_uri())

        def text(id: str) -> str:
            return str(browser.js(f"document.getElementById('{id}').textContent"))

        browser.js("document.getElementById('speed').value = 16")
        browser.wait("document.getElementById('end').textContent === 'time ran out'")
        browser.wait("document.getElementById('play').textContent === 'Play'")  # it has paused
        assert text("at") == "1 of 1"
        assert text("r_env") == "\N{MINUS SIGN}0.25, so far \N{MINUS SIGN}0.25"
        browser.js("document.getElementById('episode').value = 0")
        browser.js("document.getElementById('episode').onchange()")
        for step in (1, 2, 3):
            browser.press("ArrowRight")
            browser.wait(f"document.getElementById('at').textContent === '{step} of 3'")
        assert text("map") == "...@.\n"
        assert text("credit") == "+2.00, so far +3.00, weight 0.5"
        assert browser.js("[...document.querySelectorAll('li')].map(li => li.className)") == [
            "now", "now", "",
        ]  # fmt: skip
        assert browser.js("document.images.length") == 0
        assert browser.complaints() == []
        assert {url for url in browser.requested() if not url.startswith("file:")} == set()

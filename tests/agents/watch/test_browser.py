"""The page in a real Chromium: it follows what is written, and says when the command has ended."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from calm.store.store import Store
from tests.support.browser import Browser
from tests.support.corridor import IN_BROWSER
from tests.support.measured_runs import rows, run
from tests.support.processes import line, python
from tests.support.watched import (
    EVIL,
    NAMES,
    answer,
    context_of,
    write_people,
    write_set,
    write_store,
)

pytestmark = IN_BROWSER


def test_it_follows_what_is_written_and_says_when_it_has_ended(tmp_path: Path) -> None:
    pictures = Path(os.environ.get("CALM_TEST_PICTURES", tmp_path))
    one = run(tmp_path / "runs" / "a", 0, 0.25)
    write_store(tmp_path / "runs" / "s.sqlite")
    write_set(tmp_path / "set.parquet")
    write_people(tmp_path / "labels.sqlite")
    words = ["-m", "calm", "watch", tmp_path / "runs", "--port", "0", "--data"]
    words += [tmp_path / "set.parquet", "--labels", tmp_path / "labels.sqlite"]
    with python(*words, cwd=tmp_path) as server, Browser(tmp_path / "profile") as page:
        url = line(server).split()[2]
        page.resize(1200, 900)
        page.open(url)

        def text(selector: str) -> str:
            return str(page.js(f"document.querySelector({selector!r})?.innerText ?? ''"))

        page.wait("!!document.querySelector('#judgements details')")
        page.wait("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert page.js("document.images.length") == 1
        assert "25 % [15 %, 35 %] of 50" in text("#groups")
        assert page.js("document.querySelectorAll('#judgements details').length") == 6
        assert page.js("document.querySelector('img[src=x]') === null")

        # What is written meanwhile is shown, and what is open stays open.
        page.js("document.querySelector('#judgements details').open = true")
        page.wait("!!document.querySelector('#judgements .body pre')")
        assert "Leave by the door." in text("#judgements .body")
        one.write_metrics(rows(0.25, 0.75))
        with Store(tmp_path / "runs" / "s.sqlite") as store:
            answer(store, context_of(), f"A window opened. {EVIL}", (1, 0))
        page.wait("!!document.querySelector('#groups').innerText.includes('75 %')")
        page.wait("document.querySelectorAll('#judgements details').length === 7")
        assert page.js("document.querySelectorAll('#judgements details[open]').length") == 1

        def choose(name: str, value: str, left: int) -> None:
            page.js(
                f"{{ const select = one('#filter').elements.{name}; select.value = {value!r};"
                "select.dispatchEvent(new Event('change', {bubbles: true})); }"
            )
            page.wait(f"document.querySelectorAll('#judgements details').length === {left}")

        choose("differs", "engine", 1)
        assert "the engine says otherwise" in text("#judgements")
        choose("differs", "people", 3)
        choose("subgoal", NAMES[1], 1)
        choose("subgoal", "", 3)
        choose("differs", "", 7)
        choose("verdict", "unreadable", 1)
        page.send("Page.reload")
        page.wait("!!document.querySelector('#judgements details')")
        assert page.js("document.querySelectorAll('#judgements details').length") == 1  # as chosen

        for width, height in ((1200, 900), (390, 844)):
            for scheme in ("light", "dark"):
                media = [{"name": "prefers-color-scheme", "value": scheme}]
                page.send("Emulation.setEmulatedMedia", features=media)
                page.resize(width, height)
                page.wait(f"innerWidth === {width}")
                assert page.js("document.documentElement.scrollWidth") <= width
                page.picture(pictures / f"watch-{width}-{scheme}.png")

        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 130
        page.wait("!!document.querySelector('#status').innerText.includes('calm watch has ended')")
        assert "75 %" in text("#groups")
        assert page.complaints() == []
        asked = {u for u in page.requested() if not u.startswith("about:")}
        assert all(u.startswith(url.rsplit("/", 2)[0]) for u in asked)

"""The exported page in a real Chromium, from a file: by key and by touch, and nothing is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from calm.records import Subgoal, Task
from data.parquet import read_labels
from tests.support.browser import Browser
from tests.support.command_line import run_calm
from tests.support.corridor import IN_BROWSER, corridor_set

pytestmark = IN_BROWSER

NAMES = ("pick up the key", "</script><b>open</b> & 'the' door")
TASK = Task("MiniHack-KeyRoom-S5-v0", "Reach <i>it</i>.", tuple(Subgoal(n, "…") for n in NAMES))
EVIL = "</template></script><img src=x onerror=alert(1)>"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return corridor_set(tmp_path / "set.parquet", TASK, 6, EVIL)


def test_a_round_by_file(tmp_path: Path, data: Path) -> None:
    pictures = Path(os.environ.get("CALM_TEST_PICTURES", tmp_path))
    listed = [{"name": "get the key", "definition": "…"}, {"name": "sing", "definition": "…"}]
    (tmp_path / "found.json").write_text(json.dumps(listed))
    file = tmp_path / "page.html"
    words = ["--export", file, "--discovered", tmp_path / "found.json"]
    assert "6 transitions" in run_calm("label", "--data", data, *words).output
    assert "secret" not in file.read_text()

    with Browser(tmp_path / "profile") as page:
        page.download_to(tmp_path)

        def count(done: int) -> None:
            page.wait(f"document.querySelector('#count').textContent === '{done} of 6'")

        def press(key: str, done: int) -> None:
            page.press(key)
            count(done)

        def visit() -> None:
            page.open("about:blank")
            page.send("Page.navigate", url=file.as_uri())
            page.wait("document.querySelector('#answers')?.hidden === false")

        def heading() -> str:
            return str(page.js("document.querySelector('#answers h2').textContent"))

        page.resize(1280, 800)
        page.open(file.as_uri())
        page.js("document.querySelector('#name input').value = 'Zoë <x>'")
        page.js("document.querySelector('#name button').click()")
        count(0)
        assert page.js("document.querySelectorAll('img').length") == 0
        assert EVIL in page.js("document.querySelector('.message').textContent")
        page.picture(pictures / "offline.png")

        # By keys: none, a subgoal, undo, unsure, two at once.
        press("n", 1)
        press("1", 2)
        press("z", 1)
        assert heading() == "What did this step achieve?"
        press("u", 2)
        for key in "m12":
            page.press(key)
        press("Enter", 3)

        # Reloaded, the page goes on; the clock has jumped back by years meanwhile.
        clock = "Date = class extends Date { constructor() { super(0) } }"
        page.send("Page.addScriptToEvaluateOnNewDocument", source=clock)
        page.js("window.before = true")
        page.send("Page.reload")
        page.wait("!window.before && document.readyState === 'complete'")
        count(3)
        press("2", 4)

        # The back button shows the step before; an answer changed there keeps its history.
        page.js("history.back()")
        page.wait("/You answered/.test(document.querySelector('#answers h2').textContent)")
        page.press("n")
        page.wait("!/You answered/.test(document.querySelector('#answers h2').textContent)")
        count(4)
        page.press("l")
        page.wait("!document.querySelector('#mine').hidden")
        assert page.js("document.querySelectorAll('#mine li').length") == 4
        page.js("document.querySelector('#mine li a').click()")
        page.wait("!document.querySelector('#answers').hidden")
        assert heading().endswith(f"You answered: none. ({NAMES[1]}, then none)")

        # Two windows on one step: the later answer is told of the earlier, and both can go on.
        visit()
        first = page.js("document.querySelector('main').dataset.id")
        windows = [page._session]
        windows.append(page.new_window())
        page.resize(390, 844)  # a phone
        visit()
        assert page.js("document.querySelector('main').dataset.id") == first
        assert page.js("document.documentElement.scrollWidth") == 390
        smallest = "Math.min(...[...document.querySelectorAll('#answers button')]"
        smallest += ".filter(b => !b.hidden).map(b => b.offsetHeight))"
        assert page.js(smallest) >= 44
        page.picture(pictures / "offline-phone.png")
        page.js("document.querySelector('#answers [value=\":none\"]').click()")
        count(5)
        page.use(windows[0])
        count(5)  # the other window's answer is counted here too
        page.press("1")
        page.wait("!document.querySelector('#notice').hidden")
        assert "In another window you answered “none” meanwhile" in page.js(
            "document.querySelector('#notice').textContent"
        )
        press("u", 5)
        press("1", 6)
        page.wait("!document.querySelector('#done').hidden")

        # What a model's subgoals mean is asked at the end; then the file is saved.
        for name, value in (("get the key", NAMES[0]), ("sing", ":none")):
            page.js(
                f"(s => {{ s.value = {json.dumps(value)};"
                " s.dispatchEvent(new Event('change', {bubbles: true})) })"
                f"(document.querySelector('select[name={json.dumps(name)}]'))"
            )
        page.js("document.querySelector('#file').click()")
        saved = tmp_path / "labels-Zoë-x-.json"
        page.until(lambda: saved.is_file() and saved.stat().st_size > 100, "a saved file")
        assert page.complaints() == []
        assert all(u.startswith(("file:", "blob:", "about:")) for u in page.requested())

    labels, matches = tmp_path / "l.sqlite", tmp_path / "match.json"
    words = ["--labels", labels, "--data", data, "--matches", matches]
    result = run_calm("labels", "import", saved, *words)
    # The clock had gone back to 1970, which is told of nobody: the order is kept by numbers.
    assert (result.exit_code, "6 new labels" in result.output) == (0, True), result.output
    assert json.loads(matches.read_text()) == {TASK.id: {"get the key": NAMES[0], "sing": None}}
    exported = tmp_path / "out.parquet"
    run_calm("labels", "export", exported, "--labels", labels)
    exported_labels = read_labels(exported)
    kinds = [label.kind() for label in exported_labels]
    expected = ["none", "unsure", " + ".join(NAMES), "none", "unsure", NAMES[0]]
    assert sorted(kinds) == sorted(expected)
    assert {label.annotator for label in exported_labels} == {"Zoë <x>"}
    assert {(label.reads, label.page) for label in exported_labels} == {("screens", "calm label 2")}
    assert all(label.set.startswith("set@") for label in exported_labels)
    history = json.loads(saved.read_text())["history"]
    assert [e["n"] for e in history] == list(range(1, len(history) + 1))
    assert sum("undo" in e for e in history) == 1

"""An annotator's session in a real Chromium: by keyboard alone, through undo, reload and a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calm.records import Subgoal, Task
from data.dataset import load
from data.label.store import LabelStore
from data.scoring.disagreements import agreement
from tests.support.browser import Browser
from tests.support.corridor import IN_BROWSER, corridor_set

pytestmark = IN_BROWSER

NAMES = ("pick up the key", "open the locked door")
TASK = Task("MiniHack-KeyRoom-S5-v0", "Reach the stairs.", tuple(Subgoal(n, "…") for n in NAMES))
EVIL = "<img src=x onerror=alert(1)>"


@contextmanager
def serving(
    folder: Path, data: Path | str, port: int = 0, name: str = "ann"
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`calm label` in a process of its own, and the address it printed."""
    command = [sys.executable, "-m", "calm", "label", "--as", name, "--data", str(data)]
    command += ["--labels", str(folder / "labels.sqlite"), "--port", str(port)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        for line in child.stdout:
            if "http://" in line:
                yield child, line.split()[2]
                break
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_session_by_keyboard(tmp_path: Path) -> None:
    pictures = Path(os.environ.get("CALM_TEST_PICTURES", tmp_path))
    data = corridor_set(tmp_path / "set.parquet", TASK, 14, EVIL)
    store = LabelStore(tmp_path / "labels.sqlite")

    def labels() -> list[tuple[str, ...] | None]:
        return [None if x.unsure else x.achieved for x in store.labels()]

    with store, Browser(tmp_path / "profile") as page:

        def press(key: str, done: int) -> None:
            page.press(key)
            page.wait(f"document.querySelector('#count')?.textContent === '{done} of 14'")

        with serving(tmp_path, data) as (server, url):
            page.open(url)
            port = int(url.split(":")[2].split("/")[0])
            page.picture(pictures / "label.png")
            assert page.js("document.querySelector('img') === null")
            assert page.js("document.querySelectorAll('.changed').length") == 2
            assert EVIL in page.js("document.querySelector('.message').textContent")

            # Ten transitions: six keys of each kind, one with two subgoals, some by Tab and Enter.
            for done, key in enumerate("12nu12", 1):
                press(key, done)
            for key in ("m", "1", "2"):
                page.press(key)
            assert page.js("document.querySelectorAll('[aria-pressed=true]').length") == 2
            press("Enter", 7)
            page.js("document.querySelector('[data-key=n]').focus()")
            press("Enter", 8)
            press("n", 9)
            press("u", 10)
            key, door = (NAMES[0],), (NAMES[1],)
            ten = [key, door, (), None, key, door, NAMES, (), (), None]
            assert labels() == ten

            # Undo twice, the same transition comes back; answer anew.
            press("z", 9)
            shown = page.js("document.querySelector('main').dataset.id")
            press("z", 8)
            press("1", 9)
            assert page.js("document.querySelector('main').dataset.id") == shown
            press("2", 10)
            assert labels() == [*ten[:8], key, door]

            page.js("window.before = true")
            page.send("Page.reload")
            page.wait("!window.before && document.readyState === 'complete'")
            assert page.js("document.querySelector('#count').textContent") == "10 of 14"

            # The server is killed; an answer given then waits in the page.
            os.kill(server.pid, signal.SIGKILL)
            server.wait()
            page.press("n")
            page.wait("!document.querySelector('#trouble').hidden")
            page.picture(pictures / "label-killed.png")
            assert len(labels()) == 10

        with serving(tmp_path, data, port) as (server, again):
            assert again == url
            page.wait("document.querySelector('#count')?.textContent === '11 of 14'")
            assert page.js("document.querySelector('#trouble').hidden")

            # Killed again with an answer under way, and the tab is closed over it.
            os.kill(server.pid, signal.SIGKILL)
            server.wait()
            page.press("1")
            page.wait("!document.querySelector('#trouble').hidden")
            page.send("Page.navigate", url="about:blank")

        with serving(tmp_path, data, port):
            page.open(url)
            page.wait("document.querySelector('#count')?.textContent === '12 of 14'")
            assert labels()[-2:] == [(), key]

            # A phone: nothing is wider than the screen, and the answers are large enough to touch.
            page.resize(360, 740)
            page.wait("innerWidth === 360")
            assert page.js("document.documentElement.scrollWidth") == 360
            smallest = "Math.min(...[...document.querySelectorAll('#answers button')]"
            smallest += ".filter(b => !b.hidden).map(b => b.offsetHeight))"
            assert page.js(smallest) >= 44
            page.picture(pictures / "label-phone.png")
            for done in (13, 14):
                page.press("n")
                expected = f"'{done} of 14'"
                page.wait(f"document.querySelector('#count')?.textContent === {expected}")
            assert "All 14 are labelled" in page.js("document.body.innerText")
            assert len(labels()) == 14

        assert page.complaints() == []
        asked = {u for u in page.requested() if not u.startswith("about:")}
        assert all(u.startswith(f"http://127.0.0.1:{port}/") for u in asked)


def test_thirty_of_the_shipped_set_by_what_the_page_shows(tmp_path: Path) -> None:
    """What the page shows is enough to label by, and what it keeps agrees with the engine."""
    pictures = Path(os.environ.get("CALM_TEST_PICTURES", tmp_path))
    name, shot = "script (not a person)", {7: "desktop", 14: "dark", 15: "phone"}
    with (
        serving(tmp_path, "keyroom-v1", name=name) as (_, url),
        Browser(tmp_path / "profile") as page,
    ):
        page.resize(1280, 800)
        page.open(url)

        def text(selector: str, i: int = 0) -> str:
            return str(page.js(f"document.querySelectorAll('{selector}')[{i}].innerText"))

        for done in range(30):
            scheme = "dark" if shot.get(done) == "dark" else "light"
            media = [{"name": "prefers-color-scheme", "value": scheme}]
            page.send("Emulation.setEmulatedMedia", features=media)
            page.resize(*((360, 740) if shot.get(done) == "phone" else (1280, 800)))
            if done in shot:
                page.picture(pictures / f"label-{shot[done]}.png")
            action, after = text(".frames > .action"), text(".message", 1)
            doors = [text(".map", i).count("+") for i in (0, 1)]
            if action.startswith("pick up") and "a key named" in after:
                page.press("1")
            else:
                page.press("2" if action.startswith("apply") and doors[0] > doors[1] else "n")
            page.wait(f"document.querySelector('#count')?.textContent === '{done + 1} of 256'")
        assert page.complaints() == []
    with LabelStore(tmp_path / "labels.sqlite") as store:
        labels = store.labels()
    assert len(labels) == 30
    assert {label.annotator for label in labels} == {name}
    result = agreement(labels, load("keyroom-v1").parts["balanced"].rows)
    assert [(p.second, p.n, p.alike) for p in result.pairs] == [("engine", 30, 30)]
    # All three classes are among them, or agreement would say little.
    assert {label.kind() for label in labels} == {*NAMES, "none"}

"""`calm decompose`: asked once, shown, kept and written."""

import json
from pathlib import Path

from calm.loopback import Loopback
from calm.loopback.faults import Wire, error
from tests.support.kitchen import RULES, calm


def test_decompose_asks_shows_keeps_and_writes(folder: Path) -> None:
    named = [("find the bowl", "The bowl comes into view."), ("fill the bowl", "It is full.")]
    with Loopback(subgoals=named) as server:
        args = ("decompose", "task.yaml", "--judge", "openai:m", "--base-url", server.url)
        done = calm(*args, "--out", "subgoals.yaml", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "1. find the bowl: The bowl comes into view." in done.stdout
        again = json.loads(calm(*args, "--json", cwd=folder).stdout)
        assert server.requests == 1
    assert [s["name"] for s in again["subgoals"]] == ["find the bowl", "fill the bowl"]
    assert "find the bowl" in (folder / "subgoals.yaml").read_text()
    listed = json.loads(calm("decompose", "task.yaml", "--json", cwd=folder).stdout)
    assert [s["name"] for s in listed["subgoals"]] == ["take the ladle", "pour the soup"]


def test_what_an_endpoint_says_of_its_fault_is_shown_without_control_characters(
    folder: Path,
) -> None:
    class Rude(Loopback):
        def respond(self, method: str, path: str, key: str, content: bytes) -> Wire:
            return error(404, "no such \x1b[2J\x1b]0;model\x07")

    with Rude(RULES) as server:
        args = ("decompose", "task.yaml", "--judge", "openai:m", "--base-url", server.url)
        done = calm(*args, cwd=folder)
    assert done.returncode == 5
    assert "no such" in done.stderr
    assert all(c.isprintable() or c == "\n" for c in done.stderr)

"""`calm survey` prints a line a task, writes as it goes, and prints JSON alone with --json."""

import json
from pathlib import Path

from tests.support.command_line import calm


def test_lines_json_and_a_file(tmp_path: Path) -> None:
    out = tmp_path / "tasks.json"
    text = calm("survey", "KeyRoom-S5", "Boxoban-Hard", "--steps", "64", "--out", str(out))
    first, second = text.splitlines()
    assert first.startswith("MiniHack-KeyRoom-S5-v0: ")
    assert " events in 64 steps, reward in 0 of 0 episodes, 10 actions, native" in first
    assert second.startswith("MiniHack-Boxoban-Hard-v0: ")
    rows = json.loads(out.read_text())
    assert [row["task"] for row in rows] == ["MiniHack-Boxoban-Hard-v0", "MiniHack-KeyRoom-S5-v0"]
    (row,) = json.loads(calm("survey", "KeyRoom-S5", "--steps", "64", "--json"))
    assert row["steps"] == 64
    assert row["events"] == rows[1]["events"]

"""A list of subgoals is tried on the transitions of a shipped set, from the command line."""

import json
from pathlib import Path

from calm.loopback import Loopback
from tests.support.command_line import calm

LIST = {
    "task": "MiniHack-KeyRoom-S5-v0",
    "subgoals": [
        {"name": "pick up the key", "definition": "The key enters the inventory."},
        {"name": "dance on the stairs", "definition": "The hero dances."},
    ],
}


def test_what_nothing_meets_is_told_and_the_model_is_asked_once_more(tmp_path: Path) -> None:
    first, better = tmp_path / "first.json", tmp_path / "better.json"
    first.write_text(json.dumps(LIST))
    rules = {
        "pick up the key": ["^The key entered the inventory"],
        "open the locked door": ["^A closed door is open now"],
    }
    with Loopback(rules) as server:
        printed = calm(
            "try-subgoals", first, "--judge", "openai:m", "--again", "--out", better, "--limit", 0,
            "--store", tmp_path / "a.sqlite", "--base-url", server.url, "--json",
        )  # fmt: skip
    old, new = json.loads(printed)["trials"]
    assert any("“dance on the stairs” was never confirmed" in line for line in old["warnings"])
    assert old["confirmed"]["pick up the key"] > 0
    assert list(new["confirmed"]) == list(rules)
    assert not any("never" in line for line in new["warnings"])
    assert json.loads(better.read_text())["subgoals"][1]["name"] == "open the locked door"

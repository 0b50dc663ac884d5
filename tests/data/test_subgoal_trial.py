"""A list of subgoals is tried on the transitions of a shipped set, from the command line."""

import json
from math import log
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.loopback import Loopback
from calm.loopback.answers import prompt_of
from calm.loopback.faults import Wire, completion
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


class Unsure(Loopback):
    """Says in one clause what a subgoal means, and how likely a line says a clause."""

    def respond(self, method: str, path: str, key: str, content: bytes) -> Wire:
        prompt = prompt_of(json.loads(content))
        if "<line>" not in prompt:
            takes = "pick up the key" in prompt
            said = "The hero takes the key." if takes else "The hero climbs down."
            return Wire(body=json.dumps(completion(said, prompt=prompt, model="m")).encode())
        line = prompt.rsplit("<line>\n", 1)[1].split("\n</line>")[0]
        # Of coming onto the key it is as sure as of taking it, and that one could be the stairs.
        likely = 0.1
        if "takes the key" in prompt and line in (ONTO, TAKEN):
            likely = 0.6
        elif "climbs down" in prompt:
            likely = {DOWN: 0.9, ONTO: 0.5}.get(line, 0.1)
        elif f"that {TAKEN[0].lower()}{TAKEN[1:-1]}" in prompt and line == TAKEN:
            likely = 0.8
        top = [{"token": t, "logprob": log(p)} for t, p in (("yes", likely), ("no", 1 - likely))]
        odds = {"content": [{**top[0], "top_logprobs": top}]}
        value = completion("yes", prompt=prompt, model="m", logprobs=odds)
        return Wire(body=json.dumps(value).encode())


ONTO, TAKEN = "The hero came onto the key.", "The key entered the inventory."
DOWN = "The hero came onto the staircase down."


def test_statements_are_lines_of_play_that_the_model_means_by_its_subgoals(tmp_path: Path) -> None:
    first, stated = tmp_path / "first.json", tmp_path / "stated.json"
    first.write_text(json.dumps(LIST))
    store = tmp_path / "a.sqlite"
    words = (
        "try-subgoals", first, "--judge", "openai:m", "--statements", "--thresholds", ".7",
        "--limit", 4, "--out", stated, "--store", store,
    )  # fmt: skip
    with pytest.raises(UsageError, match="add --form lines"), Unsure() as server:
        calm(*words, "--base-url", server.url)
    with Unsure() as server:
        printed = calm(*words, "--form", "lines", "--base-url", server.url, "--json")
        shown = calm(*words, "--form", "lines", "--base-url", server.url)
    key, stairs = json.loads(printed)["statements"]
    assert (key["clause"], key["statements"]) == (
        "the hero takes the key", ["the key entered the inventory"],
    )  # fmt: skip
    assert stairs["statements"] == ["the hero came onto the staircase down"]
    assert key["odds"][ONTO] == key["odds"][TAKEN] == pytest.approx(0.6)
    assert "Action: move." not in key["odds"]  # comes again and again, so leads to nothing
    assert [s["statements"] for s in json.loads(stated.read_text())["subgoals"]] == [
        key["statements"],
        stairs["statements"],
    ]
    assert "pick up the key: “the hero takes the key”, told by “the key entered" in shown


def test_a_judge_that_is_no_model_states_nothing(tmp_path: Path) -> None:
    first = tmp_path / "first.json"
    first.write_text(json.dumps(LIST))
    with pytest.raises(UsageError, match="--again and --statements ask a model; always-no"):
        calm("try-subgoals", first, "--judge", "always-no", "--statements")

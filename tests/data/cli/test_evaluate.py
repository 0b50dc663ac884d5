"""`calm evaluate` as a user calls it; a model behind real HTTP on loopback."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from calm.errors import BudgetError, PartialError, UsageError
from calm.loopback import Loopback
from calm.records import Verdict
from data.judgements import read_judgements
from tests.support.command_line import run_calm as calm
from tests.support.key_and_door import DOOR, KEY, TASK
from tests.support.processes import eventually, python


def test_trivial_judges_in_a_table_beside_the_papers(transitions: Path) -> None:
    result = calm(
        "evaluate", "--data", transitions, "--judge", "always-yes", "--judge", "always-no"
    )
    assert result.exit_code == 0, result.output
    line = next(x for x in result.output.splitlines() if x.startswith("always-yes"))
    assert re.search(r"0\.00 +0\.50 ", line)  # MCC and balanced accuracy, the same in any resample
    assert "gemma-1.1-7b-it" in result.output
    assert "24 transitions of 12 episodes" in result.output
    assert "tie" in result.output


def test_json_and_files(transitions: Path, tmp_path: Path) -> None:
    words = ["--judge", "always-yes", "--judge", "random", "--mode", "all", "--json"]
    result = calm("evaluate", "--data", transitions, *words, "--out", tmp_path / "out")
    assert isinstance(result.exception, UsageError)  # there is no crop in this file
    words[-2] = "events"
    result = calm("evaluate", "--data", transitions, *words, "--out", tmp_path / "out")
    numbers = json.loads(result.stdout)["tables"][0]
    assert numbers == json.loads((tmp_path / "out/evaluate.json").read_text())["tables"][0]
    assert [s["judge"] for s in numbers["scores"]] == ["always-yes", "random"]
    assert numbers["scores"][0]["metrics"]["paper_f1"]["value"] == 0.8
    answers = read_judgements(tmp_path / "out/answers-t.parquet")
    assert len(answers) == 48
    stored = ["--store", tmp_path / "s.sqlite", "--judge", "openai:m", "--out", transitions]
    with Loopback() as server:
        result = calm("evaluate", "--data", transitions, *stored, "--base-url", server.url)
        assert server.requests == 0
    assert "t.parquet: File exists" in str(result.exception)
    assert (tmp_path / "out/evaluate.html").stat().st_size > 1000


CLASSES = {v.value for v in Verdict}
ONE_OF_EACH = ["", "fence", "prose", "length", "refusal", "filter", "context"]


def test_every_class_of_answer_is_told_and_the_exit_code_is_4(
    transitions: Path, tmp_path: Path
) -> None:
    rules = {KEY.name: ("key entered",), DOOR.name: ("door opened",)}
    shared = ["--data", transitions, "--store", tmp_path / "s.sqlite", "--repair"]
    with Loopback(rules, script=3 * ONE_OF_EACH) as server:
        words = ["--judge", "openai:m", "--base-url", server.url, "--mode", "screen"]
        result = calm("evaluate", *shared, *words, "--repeats", 2, "--out", tmp_path / "out")
    assert isinstance(result.exception, PartialError)
    score = json.loads((tmp_path / "out/evaluate.json").read_text())["tables"][0]["scores"][0]
    assert set(score["verdicts"]) == CLASSES
    assert sum(score["verdicts"].values()) == 24
    assert score["verdicts"] == dict.fromkeys(CLASSES, 3) | {"ok": 6}
    assert score["flip_rate"] > 0
    # The terminal tells them too, by class of transition.
    table = result.output[result.output.index("Unreadable answers") :]
    assert all(v in table for v in CLASSES)
    stored = read_judgements(tmp_path / "out/answers-t.parquet")
    assert {j.judgement.verdict.value for j in stored} == CLASSES
    page = (tmp_path / "out/evaluate.html").read_text()
    assert "I can&#39;t help with that." in page
    # What the store holds is replayed without the server.
    result = calm("evaluate", *shared, "--judge", "replay:m", "--mode", "screen", "--json")
    replayed = json.loads(result.stdout)["tables"][0]["scores"][0]
    assert sum(replayed["verdicts"].values()) == 24


def test_confidence_from_votes_and_from_log_probabilities(
    transitions: Path, tmp_path: Path
) -> None:
    rules = {KEY.name: ("key entered",), DOOR.name: ("door opened",)}
    shared = ["evaluate", "--data", transitions, "--judge", "openai:m", "--json"]
    shared += ["--store", tmp_path / "s.sqlite"]
    with Loopback(rules, logprobs=True) as server:
        shared += ["--base-url", server.url]
        for words in (["--logprobs"], ["--samples", 3]):
            result = calm(*shared, *words)
            assert result.exit_code == 0, result.output
            numbers = json.loads(result.stdout)["tables"][0]["scores"][0]["calibration"]
            assert numbers["n"] == 48
            assert 0 <= numbers["brier"] < 0.25
        assert server.requests == 24 * 4


def test_a_limit_stops_and_the_same_command_goes_on(transitions: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--data", transitions, "--judge", "openai:m", "--json"]
    words += ["--store", tmp_path / "s.sqlite"]
    with Loopback({KEY.name: ("key entered",)}) as server:
        words += ["--base-url", server.url]
        result = calm(*words, "--max-requests", 10, "--concurrency", 2)
        assert isinstance(result.exception, BudgetError)
        before = server.requests
        assert 1 <= before <= 10
        assert calm(*words).exit_code == 0
        assert server.requests == 24


def test_ctrl_c_keeps_what_is_answered(transitions: Path, tmp_path: Path) -> None:
    """In a process of its own, which gets the signal that a terminal sends."""
    store = tmp_path / "s.sqlite"
    with Loopback({KEY.name: ("key entered",)}, latency=0.5) as server:
        command = ["evaluate", "--data", str(transitions), "--judge", "openai:m"]
        command += ["--base-url", server.url, "--store", str(store), "--concurrency", "1", "--json"]
        with python("-m", "calm", *command, stderr=subprocess.PIPE) as child:
            assert eventually(lambda: server.counts["ok"] >= 3)
            child.send_signal(signal.SIGINT)
            out, errors = child.communicate(timeout=240)
        assert child.returncode == 130, errors
        assert out == ""
        assert f"every answer is in {store}" in " ".join(errors.split())
        server.latency = 0.0
        before = server.requests
        assert 3 <= before < 24
        assert calm(*command).exit_code == 0
        # What was under way when it stopped may be asked once more, nothing else.
        assert 24 <= server.requests <= 25


@pytest.mark.parametrize("command", ["annotate", "evaluate"])
def test_a_server_that_answers_with_pages_is_named(
    command: str, transitions: Path, tmp_path: Path
) -> None:
    words = ["--data", transitions, "--store", tmp_path / "s.sqlite", "--limit", 2]
    with Loopback(faults={"html": 1.0}) as server:
        words += ["--judge", "openai:m", "--base-url", server.url]
        result = calm(command, *words)
    assert isinstance(result.exception, PartialError)
    reason = str(result.exception)
    assert "2 of 2 answers could not be read" in reason
    assert "openai:m answered nothing" in reason
    assert "an HTML page instead of a chat completion" in reason
    assert f"the base URL {server.url} is right (often it ends in /v1)" in reason


def test_discovered_subgoals(transitions: Path, tmp_path: Path) -> None:
    listed = [
        {"name": "get the key", "definition": "The hero gets the key."},
        {"name": "feel fine", "definition": "The hero feels fine."},
    ]
    (tmp_path / "found.json").write_text(json.dumps(listed))
    words = ["evaluate", "--data", transitions, "--judge", "always-yes", "--json"]
    words += ["--discovered", tmp_path / "found.json"]
    table = json.loads(calm(*words).stdout)["tables"][0]
    of = {"get the key": KEY.name, "feel fine": None}
    assert table["matches"][TASK.id] == {"of": of, "unmatched_given": [DOOR.name]}
    (tmp_path / "match.json").write_text(json.dumps({"feel fine": DOOR.name}))
    table = json.loads(calm(*words, "--match", tmp_path / "match.json").stdout)["tables"][0]
    assert table["matches"][TASK.id]["unmatched_given"] == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--data", "keyroom-v9"], "unknown data set, folder or file 'keyroom-v9'"),
        (["--mode", "screan"], "unknown description 'screan': did you mean 'screen'"),
        (["--judge", "rule"], "unknown judge 'rule'"),
        (["--part", "natural"], "unknown part 'natural'"),
        (["--subgoals", "open the dor"], "did you mean 'open the door'"),
        (["--subgoals", " , "], "--subgoals names none; it takes given, all, or names"),
        (["--task", "Corridor"], "unknown task of this set 'Corridor'"),
        (["--judge", "replay:m", "--store", "no.sqlite"], "there is no store at no.sqlite"),
    ],
)
def test_wrong_names_list_the_right_ones(transitions: Path, words: list[str], reason: str) -> None:
    result = calm("evaluate", "--data", transitions, *words)
    assert isinstance(result.exception, UsageError)
    assert reason in str(result.exception)


def test_a_part_of_the_subgoals_and_rows(transitions: Path) -> None:
    words = ["--judge", "always-yes", "--subgoals", KEY.name, "--limit", "9", "--json"]
    words += ["--task", "KeyRoom-S5"]
    table = json.loads(calm("evaluate", "--data", transitions, *words).stdout)["tables"][0]
    assert table["subgoals"] == [KEY.name]
    assert table["classes"] == {KEY.name: 3, "none": 6}


def test_a_sweep_of_the_prompt_in_one_table(transitions: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--data", transitions, "--limit", 6, "--json"]
    words += ["--sweep", "role", "--sweep", "message", "--prompt", "goal=win"]
    with Loopback({KEY.name: ("key entered",)}) as server:
        result = calm(*words, "--judge", "openai:m", "--base-url", server.url)
    scores = json.loads(result.stdout)["tables"][0]["scores"]
    assert [s["variant"] for s in scores] == [
        "goal=win",
        "goal=win message=off",
        "role=off goal=win",
        "role=off goal=win message=off",
    ]
    assert all(s["verdicts"] == {"ok": 6} for s in scores)
    # Each way of asking was a question of its own.
    assert [s["usage"]["requests"] for s in scores] == [6, 6, 6, 6]
    assert isinstance(calm(*words[:3], "--sweep", "rule").exception, UsageError)


def test_a_limit_draws_every_class_and_says_so(tmp_path: Path) -> None:
    """The set is sorted by class: its first rows achieve something, all of them."""
    words = ["evaluate", "--judge", "always-yes", "--limit", 60]
    result = calm(*words, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    reason = "drawn from 256 with seed 0, each class by its share"
    assert reason in " ".join(result.output.split())
    assert reason in " ".join((tmp_path / "evaluate.html").read_text().split())
    table = json.loads((tmp_path / "evaluate.json").read_text())["tables"][0]
    assert table["transitions"] == 60
    assert min(table["classes"].values()) >= 18
    # Two thirds achieve something: F1 of always yes is 0.8, not 1.
    assert table["scores"][0]["metrics"]["paper_f1"]["value"] == pytest.approx(0.8, abs=0.02)
    other = json.loads(calm(*words, "--seed", 1, "--json").stdout)["tables"][0]
    assert "seed 1" in other["drawn"]

"""The commands as a user calls them, in this process; a model behind real HTTP on loopback."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from calm.cli.main import build
from calm.errors import BudgetError, PartialError, UsageError
from calm.loopback import Loopback
from calm.records import Subgoal, Task, Transition, Verdict, content_hash
from data.label.store import LabelStore
from data.parquet import read_judgements, read_labels, write_transitions
from data.schema import Label, LabelledTransition

KEY = Subgoal("pick up the key", "The key enters the inventory.")
DOOR = Subgoal("open the door", "A closed door becomes an open one.")
TASK = Task("MiniHack-KeyRoom-S5-v0", "Take the key, open the door.", (KEY, DOOR))
EVENTS = ("The key entered the inventory.", "The door opened.", "Nothing changed.")


@pytest.fixture
def transitions(tmp_path: Path) -> Path:
    rows = [
        LabelledTransition(
            Transition(
                TASK.id,
                {"events": f"{EVENTS[i % 3]} [{i}]", "screen": f"<{EVENTS[i % 3]} {i}>"},
                "apply",
                f"e{i // 2}",
                i,
            ),
            {KEY.name: i % 3 == 0, DOOR.name: i % 3 == 1},
            {"level_seed": i},
        )
        for i in range(24)
    ]
    path = tmp_path / "t.parquet"
    write_transitions(path, rows, {TASK.id: TASK})
    return path


def calm(*words: object) -> Result:
    return CliRunner().invoke(build(), [str(w) for w in words], terminal_width=100)


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
    found = json.loads(result.output)["tables"][0]
    assert found == json.loads((tmp_path / "out/evaluate.json").read_text())["tables"][0]
    assert [s["judge"] for s in found["scores"]] == ["always-yes", "random"]
    assert found["scores"][0]["metrics"]["paper_f1"]["value"] == 0.8
    answers = read_judgements(tmp_path / "out/answers-t.parquet")
    assert len(answers) == 48
    kept = ["--store", tmp_path / "s.sqlite", "--judge", "openai:m", "--out", transitions]
    with Loopback() as server:
        result = calm("evaluate", "--data", transitions, *kept, "--base-url", server.url)
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
    kept = read_judgements(tmp_path / "out/answers-t.parquet")
    assert {j.judgement.verdict.value for j in kept} == CLASSES
    page = (tmp_path / "out/evaluate.html").read_text()
    assert "I can&#39;t help with that." in page
    # What the store holds is replayed without the server.
    result = calm("evaluate", *shared, "--judge", "replay:m", "--mode", "screen", "--json")
    replayed = json.loads(result.output)["tables"][0]["scores"][0]
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
            found = json.loads(result.output)["tables"][0]["scores"][0]["calibration"]
            assert found["n"] == 48
            assert 0 <= found["brier"] < 0.25
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
    with Loopback({KEY.name: ("key entered",)}, latency=0.2) as server:
        command = [sys.executable, "-m", "calm", "evaluate", "--data", str(transitions)]
        command += ["--judge", "openai:m", "--base-url", server.url, "--store", str(store)]
        command += ["--concurrency", "1", "--json"]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        deadline = time.monotonic() + 120
        while server.counts["ok"] < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=60)
        assert child.returncode == 130, errors
        assert out == ""
        assert f"every answer is in {store}" in " ".join(errors.split())
        server.latency = 0.0
        before = server.requests
        assert 3 <= before < 24
        assert subprocess.run(command, capture_output=True, timeout=120).returncode == 0
        # What was under way when it stopped may be asked once more, nothing else.
        assert 24 <= server.requests <= 25


def test_annotate_pays_once_stops_at_a_limit_and_goes_on(transitions: Path, tmp_path: Path) -> None:
    words = ["annotate", "--data", transitions, "--judge", "openai:m", "--json"]
    words += ["--store", tmp_path / "s.sqlite", "--out", tmp_path / "a.parquet"]
    with Loopback({KEY.name: ("key entered",)}) as server:
        words += ["--base-url", server.url]
        planned = json.loads(calm(*words, "--dry-run").output)[TASK.id]
        assert (planned["questions"], planned["stored"]) == (24, 0)
        result = calm(*words, "--max-requests", 10, "--concurrency", 2)
        assert isinstance(result.exception, BudgetError)
        partly = read_judgements(tmp_path / "a.parquet")
        answered = sum(j.judgement.verdict is Verdict.OK for j in partly)
        assert 1 <= answered <= 10
        assert len(partly) == 24
        asked = server.requests
        again = calm(*words, "--max-requests", asked)
        assert isinstance(again.exception, BudgetError)  # what the first run paid for counts
        assert again.exception.exit_code == 3
        assert server.requests == asked
        result = calm(*words)
        assert result.exit_code == 0
        told = json.loads(result.output)[0]
        assert (told["hits"], told["asked"], told["verdicts"]) == (
            answered,
            24 - answered,
            {"ok": 24},
        )
    found = [j.judgement.achieved[KEY.name] for j in read_judgements(tmp_path / "a.parquet")]
    assert found == [i % 3 == 0 for i in range(24)]


def test_annotate_many_in_a_request_about_subgoals_of_a_file(
    transitions: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "mine.yaml"
    listed.write_text(
        "subgoals:\n"
        "- {name: take the key, definition: The key is carried after the step.}\n"
        "- {name: pass the door, definition: The hero stands beyond the door after the step.}\n"
    )
    words = ["annotate", "--data", transitions, "--judge", "openai:m", "--per-request", 5]
    words += ["--subgoals", listed, "--store", tmp_path / "s.sqlite", "--out", tmp_path / "a"]
    with Loopback(rules={"take the key": ("The key entered",)}) as server:
        result = calm(*words, "--base-url", server.url)
        assert result.exit_code == 0, result.output
        assert server.requests == 5  # 24 different texts, five to a request
    answers = read_judgements(tmp_path / "a")
    assert [a.judgement.achieved["take the key"] for a in answers] == [True, False, False] * 8
    assert not any(a.judgement.achieved["pass the door"] for a in answers)


def test_annotate_with_what_costs_nothing(transitions: Path, tmp_path: Path) -> None:
    words = ["annotate", "--data", transitions, "--judge", "always-no"]
    words += ["--store", tmp_path / "s.sqlite"]
    assert "24 ok" in calm(*words).output
    assert isinstance(calm(*words, "--dry-run").exception, UsageError)
    assert "unknown description 'crops'" in str(calm(*words, "--mode", "crops").exception)


def test_replay_reads_what_a_model_said_as_evaluate_does(transitions: Path, tmp_path: Path) -> None:
    words = ["--data", transitions, "--store", tmp_path / "s.sqlite", "--json"]
    with Loopback({KEY.name: ("key entered",)}, faults={"fence": 1.0}) as server:
        calm("annotate", *words, "--judge", "openai:m", "--base-url", server.url)
    result = calm("annotate", *words, "--judge", "replay:m", "--repair")
    assert json.loads(result.output)[0]["verdicts"] == {"repaired": 24}
    result = calm("evaluate", *words, "--judge", "replay:m", "--repair")
    assert json.loads(result.output)["tables"][0]["scores"][0]["verdicts"] == {"repaired": 24}


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["--judge", "rules", "--samples", 3], "--samples"),
        (["--judge", "always-no", "--max-cost", 1], "--max-cost"),
        (["--judge", "random", "--repair"], "--repair"),
        (["--judge", "replay:m", "--logprobs"], "--logprobs"),
    ],
)
@pytest.mark.parametrize("command", ["annotate", "evaluate"])
def test_an_option_that_nobody_takes_is_refused(
    command: str, words: list[str], flag: str, transitions: Path, tmp_path: Path
) -> None:
    result = calm(command, "--data", transitions, "--store", tmp_path / "s.sqlite", *words)
    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith(flag)


@pytest.mark.parametrize("command", ["annotate", "evaluate"])
def test_a_server_that_answers_with_pages_is_named(
    command: str, transitions: Path, tmp_path: Path
) -> None:
    words = ["--data", transitions, "--store", tmp_path / "s.sqlite", "--limit", 2]
    with Loopback(faults={"html": 1.0}) as server:
        words += ["--judge", "openai:m", "--base-url", server.url]
        result = calm(command, *words)
    assert isinstance(result.exception, PartialError)
    told = str(result.exception)
    assert "2 of 2 answers could not be read" in told
    assert "openai:m answered nothing" in told
    assert "an HTML page instead of a chat completion" in told
    assert f"the base URL {server.url} is right (often it ends in /v1)" in told


def test_discovered_subgoals(transitions: Path, tmp_path: Path) -> None:
    listed = [
        {"name": "get the key", "definition": "The hero gets the key."},
        {"name": "feel fine", "definition": "The hero feels fine."},
    ]
    (tmp_path / "found.json").write_text(json.dumps(listed))
    words = ["evaluate", "--data", transitions, "--judge", "always-yes", "--json"]
    words += ["--discovered", tmp_path / "found.json"]
    table = json.loads(calm(*words).output)["tables"][0]
    of = {"get the key": KEY.name, "feel fine": None}
    assert table["matches"][TASK.id] == {"of": of, "unmatched_given": [DOOR.name]}
    (tmp_path / "match.json").write_text(json.dumps({"feel fine": DOOR.name}))
    table = json.loads(calm(*words, "--match", tmp_path / "match.json").output)["tables"][0]
    assert table["matches"][TASK.id]["unmatched_given"] == []


@pytest.mark.parametrize(
    ("words", "told"),
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
def test_wrong_names_list_the_right_ones(transitions: Path, words: list[str], told: str) -> None:
    result = calm("evaluate", "--data", transitions, *words)
    assert isinstance(result.exception, UsageError)
    assert told in str(result.exception)


@pytest.mark.parametrize(
    "words", [["annotate", "--judge", "rules"], ["label", "--as", "ann"], ["evaluate"]]
)
def test_a_set_without_transitions_is_refused(words: list[str], tmp_path: Path) -> None:
    write_transitions(tmp_path / "none.parquet", [], {TASK.id: TASK})
    result = calm(*words, "--data", tmp_path / "none.parquet")
    assert isinstance(result.exception, UsageError)
    assert "no transitions" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--as", " "], "has 1 to 64 printable characters and is not 'engine', got ''"),
        (["--as", "engine"], "got 'engine'"),
        (["--as", "ann", "--labels", "."], "cannot be used as a file of labels"),
        (["--as", "ann", "--labels", "t.parquet/l.sqlite"], "cannot be used as a file of labels"),
    ],
)
def test_who_labels_and_where_is_checked(
    transitions: Path, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(transitions.parent)
    result = calm("label", "--data", transitions, *words)
    assert isinstance(result.exception, UsageError)
    assert told in str(result.exception)


def test_a_part_of_the_subgoals_and_rows(transitions: Path) -> None:
    words = ["--judge", "always-yes", "--subgoals", KEY.name, "--limit", "9", "--json"]
    words += ["--task", "KeyRoom-S5"]
    table = json.loads(calm("evaluate", "--data", transitions, *words).output)["tables"][0]
    assert table["subgoals"] == [KEY.name]
    assert table["classes"] == {KEY.name: 3, "none": 6}


def test_labels_go_out_and_in_and_agree(transitions: Path, tmp_path: Path) -> None:
    labels = tmp_path / "l.sqlite"
    text = f"{EVENTS[0]} [0]"
    first = Transition(TASK.id, {"events": text, "screen": f"<{EVENTS[0]} 0>"}, "apply").id
    with LabelStore(labels) as store:
        label = Label(first, "=ann", (KEY.name,), (KEY.name, DOOR.name), at="2026")
        store.add(label, content_hash(first))
    for name in ("l.csv", "l.parquet"):
        out = tmp_path / name
        assert calm("labels", "export", out, "--labels", labels).exit_code == 0
        again = tmp_path / f"{name}.sqlite"
        assert "1 new labels" in calm("labels", "import", out, "--labels", again).output
        assert "0 new labels" in calm("labels", "import", out, "--labels", again).output
        with LabelStore(again) as store:
            assert store.labels() == [label]
    assert read_labels(tmp_path / "l.parquet") == [label]
    shared = ["--data", transitions, "--labels", labels]
    result = calm("labels", "agreement", *shared, "--json")
    assert json.loads(result.output)["pairs"][0]["alike"] == 1
    assert "=ann" in calm("labels", "agreement", *shared).output
    assert isinstance(
        calm("labels", "export", tmp_path / "l.xls", "--labels", labels).exception, UsageError
    )
    absent = ["--labels", tmp_path / "absent.sqlite"]
    assert isinstance(calm("labels", "export", tmp_path / "x.csv", *absent).exception, UsageError)
    assert isinstance(calm("label", "--as", "engine", *shared).exception, UsageError)


def test_a_sweep_of_the_prompt_in_one_table(transitions: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--data", transitions, "--limit", 6, "--json"]
    words += ["--sweep", "role", "--sweep", "message", "--prompt", "goal=win"]
    with Loopback({KEY.name: ("key entered",)}) as server:
        result = calm(*words, "--judge", "openai:m", "--base-url", server.url)
    scores = json.loads(result.output)["tables"][0]["scores"]
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

"""`calm annotate` as a user calls it, in this process; a model behind real HTTP on loopback."""

from __future__ import annotations

import json
from pathlib import Path

from calm.errors import BudgetError, StoreError, UsageError
from calm.loopback import Loopback
from calm.records import Verdict
from data.judgements import read_judgements
from tests.support.command_line import run_calm as calm
from tests.support.key_and_door import KEY, TASK


def test_annotate_pays_once_stops_at_a_limit_and_goes_on(transitions: Path, tmp_path: Path) -> None:
    words = ["annotate", "--data", transitions, "--judge", "openai:m", "--json"]
    words += ["--store", tmp_path / "s.sqlite", "--out", tmp_path / "a.parquet"]
    with Loopback({KEY.name: ("key entered",)}) as server:
        words += ["--base-url", server.url]
        planned = json.loads(calm(*words, "--dry-run").stdout)[TASK.id]
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
        summary = json.loads(result.stdout)[0]
        assert (summary["hits"], summary["asked"], summary["verdicts"]) == (
            answered,
            24 - answered,
            {"ok": 24},
        )
    yes = [j.judgement.achieved[KEY.name] for j in read_judgements(tmp_path / "a.parquet")]
    assert yes == [i % 3 == 0 for i in range(24)]


def test_a_dry_run_on_a_store_that_can_only_be_read_counts_what_is_in_it(
    transitions: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s.sqlite"
    words = ["annotate", "--data", transitions, "--judge", "openai:m", "--json", "--store", store]
    with Loopback({KEY.name: ("key entered",)}) as server:
        words += ["--base-url", server.url]
        calm(*words, "--max-requests", 5, "--concurrency", 1)
        store.chmod(0o444)
        content = store.read_bytes()
        result = calm(*words, "--dry-run")
        assert result.exit_code == 0, result.output
        planned = json.loads(result.stdout)[TASK.id]
        assert (planned["questions"], planned["stored"]) == (24, 5)
        refused = calm(*words)
        assert isinstance(refused.exception, StoreError)
        assert "19 of 24 questions have no answer" in str(refused.exception)
        assert server.requests == 5
    assert store.read_bytes() == content


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
    assert json.loads(result.stdout)[0]["verdicts"] == {"repaired": 24}
    result = calm("evaluate", *words, "--judge", "replay:m", "--repair")
    assert json.loads(result.stdout)["tables"][0]["scores"][0]["verdicts"] == {"repaired": 24}


def test_annotate_asks_again_for_chosen_classes_alone(transitions: Path, tmp_path: Path) -> None:
    words = ["annotate", "--data", transitions, "--judge", "openai:m", "--json"]
    words += ["--store", tmp_path / "s.sqlite", "--concurrency", 1]
    with Loopback({KEY.name: ("key entered",)}, script=["prose", "length", "prose"]) as server:
        words += ["--base-url", server.url]
        first = json.loads(calm(*words).stdout)[0]["verdicts"]
        assert first == {"ok": 21, "invalid": 2, "truncated": 1}
        again = json.loads(calm(*words, "--ask-again", "invalid").stdout)[0]
        assert (again["asked"], again["verdicts"]) == (2, {"ok": 23, "truncated": 1})
        both = json.loads(calm(*words, "--ask-again", "truncated, invalid").stdout)[0]
        assert (both["asked"], both["verdicts"]) == (1, {"ok": 24})
        assert server.requests == 24 + 2 + 1
    wrong = calm(*words, "--ask-again", "invalids")
    assert isinstance(wrong.exception, UsageError)
    assert "did you mean 'invalid'" in str(wrong.exception)
    useless = calm("annotate", "--data", transitions, "--judge", "rules", "--ask-again", "invalid")
    assert "--ask-again: a model takes that" in str(useless.exception)

"""`calm evaluate --against people`: three simulated annotators, every figure worked by hand.

keyroom-v1's balanced part has 86 keys, 85 doors and 85 of nothing. Two annotators make no error and
one misses everything, so the majority is the truth on all 256.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calm.errors import UsageError
from tests.support.command_line import run_calm as calm

SURE = ["--annotator", "a", "--annotator", "b:miss=1", "--annotator", "c"]
BALANCED = ["--part", "balanced", "--judge", "rules", "--judge", "always-yes"]


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "three.csv"
    result = calm("labels", "simulate", path, *SURE)
    assert "768 simulated labels written" in result.output
    return path


def test_three_simulated_annotators(labels: Path, tmp_path: Path) -> None:
    words = ["evaluate", *BALANCED, "--labels", labels, "--against", "people"]
    result = calm(*words, "--against", "engine", "--json", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    people, engine = json.loads(result.stdout)["tables"]
    assert (people["against"], engine["against"]) == ("people", "engine")
    for table in (people, engine):
        rules, always = table["scores"]
        assert table["transitions"] == 256
        assert rules["metrics"]["mcc"]["value"] == 1.0
        assert always["metrics"]["mcc"]["value"] == 0.0
        # Always yes: precision 171/256, recall 1.
        assert always["metrics"]["paper_f1"]["value"] == pytest.approx(342 / 427, abs=1e-5)
    # Against the engine nothing differs in any resample; people might have been others.
    assert engine["scores"][0]["metrics"]["mcc"]["low"] is None
    a, b, c, together = people["people"]
    # The others of a are b and c, who agree on the 85 of nothing alone.
    assert (a["n"], b["n"], c["n"], together["n"]) == (85, 256, 85, 426)
    assert b["counts"]["any"] == [[85, 0, 0], [171, 0, 0]]
    assert together["metrics"]["exact"]["value"] == pytest.approx(255 / 426, abs=1e-5)
    assert [s["metrics"]["exact"]["value"] for s in engine["people"]] == [1.0, 0.33203, 1.0]
    agreement = people["agreement"]
    kappas = {(p["rater"], p["other"]): p["kappa"]["value"] for p in agreement["pairs"]}
    assert kappas["rules events", "engine"] == kappas["rules events", "simulated-a"] == 1.0
    assert kappas["simulated-b", "engine"] == kappas["always-yes events", "simulated-b"] == 0.0
    # Krippendorff: margins key 172, door 170, none 426 of 768; two of three pairs differ on 171.
    expected = 768**2 - 172**2 - 170**2 - 426**2
    assert agreement["alpha"]["value"] == pytest.approx(1 - 767 * 342 / expected, abs=1e-5)
    assert agreement["people_and_engine_differ"] == 171
    page = (tmp_path / "evaluate.html").read_text()
    assert "Where people and the engine differ" in page
    assert "simulated-b none" in page
    assert {p.name for p in tmp_path.glob("answers-*")} == {
        "answers-keyroom-v1-balanced.parquet",
        "answers-keyroom-v1-balanced-against-people.parquet",
    }


def test_the_terminal_shows_a_judge_against_both(labels: Path) -> None:
    words = ["evaluate", *BALANCED, "--limit", 40, "--labels", labels]
    result = calm(*words, "--against", "people", "--against", "engine")
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    for part in (
        "Against the majority of people; left out: nothing",
        "leave-one-out",
        "Cohen's kappa of classes",
        "All 3 people: Krippendorff's alpha",
        "Against each reference: MCC (n), and F1 as the paper counts",
    ):
        assert part in text


def test_labels_of_another_version_of_the_set_are_told(labels: Path, tmp_path: Path) -> None:
    """Ids are made of texts: 86 of keyroom-v1's 256 changed when its texts did."""
    lines = labels.read_text().splitlines()
    older = tmp_path / "older.csv"
    ids = {line.split(",")[0] for line in lines[1:]}
    changed = dict.fromkeys(sorted(ids)[:86])
    older.write_text(
        "\n".join([f"x{line[1:]}" if line.split(",")[0] in changed else line for line in lines])
    )
    words = ["evaluate", *BALANCED, "--labels", older, "--against", "people"]
    with pytest.warns(UserWarning, match="258 of 768 labels are of transitions that are not in"):
        result = calm(*words, "--json")
    assert json.loads(result.stdout)["tables"][0]["transitions"] == 170


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--against", "people", "--labels", "no.sqlite"], "no labels yet"),
        (["--against", "simulated-d"], "unknown reference 'simulated-d': did you mean"),
        (["--against", "people", "--min-people", 4], "--min-people is 4"),
        (["--against", "people", "--data", "minihack-v1"], "none of the 768 labels is of a"),
    ],
)
def test_what_cannot_be_a_reference_is_told(
    labels: Path, words: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = [] if "--labels" in words else ["--labels", labels]
    result = calm("evaluate", "--judge", "rules", *words, *named)
    assert isinstance(result.exception, UsageError), result.output
    assert reason in str(result.exception)


def test_simulated_annotators_say_that_they_are(tmp_path: Path) -> None:
    rates = ["--annotator", "x:unsure=0.2,skip=0.1,false=0.3,confuse=0.1"]
    for name in ("one.csv", "two.csv"):
        assert calm("labels", "simulate", tmp_path / name, *rates).exit_code == 0
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "two.csv").read_text()
    assert ",simulated-x," in (tmp_path / "one.csv").read_text()
    for wrong in ("x:mis=1", "x:miss=2", "x:miss=often"):
        result = calm("labels", "simulate", tmp_path / "no.csv", "--annotator", wrong)
        assert isinstance(result.exception, UsageError)

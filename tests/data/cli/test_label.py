"""`calm label`: what it checks before it serves."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from calm.errors import UsageError
from data.parquet import write_transitions
from tests.support.command_line import run_calm as calm
from tests.support.key_and_door import TASK


@pytest.mark.parametrize(
    "words", [["annotate", "--judge", "rules"], ["label", "--as", "ann"], ["evaluate"]]
)
def test_a_set_without_transitions_is_refused(words: list[str], tmp_path: Path) -> None:
    write_transitions(tmp_path / "none.parquet", [], {TASK.id: TASK})
    result = calm(*words, "--data", tmp_path / "none.parquet")
    assert isinstance(result.exception, UsageError)
    assert "no transitions" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--as", " "], "has 1 to 64 printable characters and is not 'engine', got ''"),
        (["--as", "engine"], "got 'engine'"),
        (["--as", "ann", "--labels", "."], "cannot be used as a file of labels"),
        (["--as", "ann", "--labels", "t.parquet/l.sqlite"], "cannot be used as a file of labels"),
    ],
)
def test_who_labels_and_where_is_checked(
    transitions: Path, words: list[str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(transitions.parent)
    result = calm("label", "--data", transitions, *words)
    assert isinstance(result.exception, UsageError)
    assert reason in str(result.exception)


def test_a_round_for_several_people_is_a_page_for_each(transitions: Path, tmp_path: Path) -> None:
    words = ["label", "--data", transitions, "--people", "ann,bob,cat", "--overlap", 2]
    result = calm(*words, "--limit", 9, "--sample", "even", "--export", tmp_path / "round")
    assert result.exit_code == 0, result.output
    pages = sorted((tmp_path / "round").iterdir())
    assert [p.name for p in pages] == ["ann.html", "bob.html", "cat.html"]
    ids = [re.findall(r'<template data-id="(\w+)"', p.read_text()) for p in pages]
    assert [len(of) for of in ids] == [6, 6, 6]
    times = Counter(id for of in ids for id in of)
    assert (len(times), set(times.values())) == (9, {2})
    # The page says who labels, and nothing of what is true or of where a step comes from.
    text = pages[0].read_text()
    assert '"annotator": "ann"' in text
    assert "level_seed" not in text
    assert "episode" not in text.replace("The episode ended", "")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--export", "round.txt"], "--export writes an .html file"),
        (["--export", "r", "--people", "ann,Ann"], "--people names 'Ann' twice"),
        (["--export", "r", "--people", "a b,a/b"], "the page of 'a/b' would overwrite another's"),
        (["--export", "r", "--people", "ann", "--overlap", 2], "expected 1 to the 1 people"),
        (["--as", "dan", "--people", "ann,bob"], "unknown annotator of this round 'dan'"),
        (["--as", "ann", "--sample", "odd"], "unknown way to draw 'odd'"),
        (["--as", "ann", "--sample", "disputed"], "--sample disputed needs --answers"),
        (["--as", "ann", "--answers", "x.parquet"], "--answers is for --sample disputed alone"),
    ],
)
def test_a_round_that_cannot_be_is_told(
    transitions: Path, words: list[str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(transitions.parent)
    result = calm("label", "--data", transitions, *words)
    assert isinstance(result.exception, UsageError), result.output
    assert reason in str(result.exception)

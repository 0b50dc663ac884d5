"""`calm label`: what it checks before it serves."""

from __future__ import annotations

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

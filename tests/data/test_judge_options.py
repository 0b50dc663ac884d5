"""Options about models are refused where no judge takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from calm.errors import UsageError
from tests.support.command_line import run_calm as calm
from tests.support.key_and_door import key_and_door_set


@pytest.fixture(scope="module")
def transitions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return key_and_door_set(tmp_path_factory.mktemp("set") / "t.parquet")


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

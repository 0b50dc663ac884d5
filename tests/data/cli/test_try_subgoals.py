"""`calm try-subgoals`: a list of subgoals on played transitions, without a truth."""

import json
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.subgoals import write_subgoals
from tests.support.command_line import calm
from tests.support.key_and_door import DOOR, KEY, TASK


@pytest.fixture
def words(tmp_path: Path, transitions: Path) -> tuple[object, ...]:
    write_subgoals(tmp_path / "s.yaml", TASK.id, [KEY, DOOR])
    store = ("--store", tmp_path / "s.sqlite")
    return ("try-subgoals", tmp_path / "s.yaml", "--data", transitions, *store)


def test_what_every_step_confirms_is_warned_of(words: tuple[object, ...]) -> None:
    text = calm(*words, "--judge", "always-yes", "--limit", 6)
    assert "Tried on 6 of 6 transitions:" in text
    assert f"      6  {KEY.name}" in text
    assert "was confirmed on all 6 played transitions" in text
    (trial,) = json.loads(calm(*words, "--judge", "always-no", "--json"))["trials"]
    assert (trial["transitions"], set(trial["confirmed"].values())) == (24, {0})


def test_only_a_model_can_be_asked_for_better_ones(words: tuple[object, ...]) -> None:
    with pytest.raises(UsageError, match="--again and --statements ask a model; always-no is none"):
        calm(*words, "--judge", "always-no", "--again")
    with pytest.raises(UsageError, match="unknown description 'map'"):
        calm(*words, "--mode", "map")

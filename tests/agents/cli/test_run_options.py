"""Which settings the options of `calm train` name: those given a value, and no default beside."""

import pytest

from agents.cli.run_options import RunOptions
from calm.errors import UsageError
from calm.records import Verdict


def test_only_what_was_named_is_a_setting() -> None:
    assert RunOptions().settings() == {}
    assert RunOptions(task="Room-5x5", steps=64, seeds=3).settings() == {
        "task": "Room-5x5",
        "steps": 64,
    }


def test_numbers_and_words_are_read_and_set_wins() -> None:
    options = RunOptions(
        thresholds="0.7", ask_again="invalid", encoder="agent", setting=["n_envs=16", "encoder=cnn"]
    )
    assert options.settings() == {
        "thresholds": {"*": 0.7},
        "ask_again": (Verdict.INVALID,),
        "encoder": "cnn",
        "n_envs": 16,
    }


def test_a_class_that_is_none_is_named() -> None:
    with pytest.raises(UsageError, match="unknown verdict class 'invalidd'"):
        RunOptions(ask_again="invalidd").settings()

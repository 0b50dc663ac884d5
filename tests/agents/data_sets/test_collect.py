"""Collected files: what Ctrl-C leaves of them, and how they are resumed."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agents.data_sets import collect
from calm.errors import UsageError
from calm.records import LabelledTransition
from data.parquet import read_transitions


def test_ctrl_c_before_the_first_step_says_that_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> Iterator[None]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(collect, "play", stop)
    with pytest.raises(KeyboardInterrupt):
        collect.collect_file(
            tmp_path / "a.parquet",
            "Room-5x5",
            players=("random",),
            episodes=1,
            seed=0,
            split="data",
            console=Console(stderr=True),
        )
    assert "stopped before the first step; nothing was written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def collected(path: Path, **others: Any) -> bytes:
    """What `collect_file` writes to a path, of three episodes of two players."""
    arguments = {"players": ("random", "scripted"), "episodes": 3, "seed": 1, "split": "data"}
    console = Console(stderr=True, width=400)
    collect.collect_file(path, "Room-5x5", **arguments | others, console=console)
    return path.read_bytes()


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the play that comes next end in Ctrl-C after so many steps."""
    play = collect.play

    def interrupted(*arguments: Any, **named: Any) -> Iterator[LabelledTransition]:
        yield from islice(play(*arguments, **named), step)
        raise KeyboardInterrupt

    monkeypatch.setattr(collect, "play", interrupted)


def test_the_same_command_resumes_and_writes_what_one_call_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_once = collected(tmp_path / "at-once.parquet")
    rows = read_transitions(tmp_path / "at-once.parquet").rows
    ends = [i for i, r in enumerate(rows) if r.transition.terminated or r.transition.truncated]
    path = tmp_path / "played.parquet"
    for steps, message in ((ends[1] + 2, ""), (ends[3] - ends[1] + 1, "resuming after 2 episodes")):
        with monkeypatch.context() as patch:
            interrupt_at(steps, patch)
            with pytest.raises(KeyboardInterrupt):
                collected(path)
        assert message in capsys.readouterr().err
    assert collected(path) == at_once
    assert "resuming after 4 episodes" in capsys.readouterr().err
    assert not collect.partial_path(path).exists()


def test_fewer_episodes_are_taken_from_what_was_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "played.parquet"
    with monkeypatch.context() as patch:
        interrupt_at(10_000, patch)  # every episode was played
        with pytest.raises(KeyboardInterrupt):
            collected(path)
    at_once = collected(tmp_path / "at-once.parquet", episodes=1)
    interrupt_at(0, monkeypatch)  # nothing may be played again
    assert collected(path, episodes=1) == at_once


@pytest.mark.parametrize(
    "other",
    [{"seed": 2}, {"split": "test"}, {"players": ("scripted", "random")}, {"descriptions": 2}],
)
def test_what_other_arguments_have_played_is_refused(
    other: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "played.parquet"
    with monkeypatch.context() as patch:
        interrupt_at(10_000, patch)
        with pytest.raises(KeyboardInterrupt):
            collected(path)
    left = collect.partial_path(path).read_bytes()
    with pytest.raises(UsageError, match=r"played\.part\.parquet.*move it away"):
        collected(path, **other)
    assert collect.partial_path(path).read_bytes() == left
    assert not path.exists()

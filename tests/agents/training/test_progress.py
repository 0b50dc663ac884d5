"""TrainingStatus in a terminal: a bar a run, and of many runs only those at work."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agents.training import progress
from agents.training.parallel import LocalProcesses
from agents.training.run.folder import Run
from agents.training.run.status import TrainingStatus
from agents.training.settings.config import TrainConfig


def output_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int) -> tuple[str, list[int]]:
    """What is on the terminal while run 1 is at work and run 0 has ended, and which ended."""

    def train_all(
        _: object,
        __: object,
        *,
        on_progress: Callable[[int, TrainingStatus], None],
        on_end: Callable[[int], None],
        **___: Any,
    ) -> None:
        on_progress(0, TrainingStatus(400, 400, 7.0, 0.5, 0))
        on_end(0)
        on_progress(1, TrainingStatus(100, 400, 5.0, None, 3))

    monkeypatch.setattr(progress, "train_all", train_all)
    runs = [Run.create(tmp_path / str(i), TrainConfig(judge="none", seed=i)) for i in range(n)]
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100)
    ended: list[int] = []
    progress.train_with_progress(
        runs,
        LocalProcesses(),
        console=console,
        labels=[f"run-{i}" for i in range(n)],
        on_end=ended.append,
    )
    return written.getvalue(), ended


def test_a_few_runs_have_a_bar_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, ended = output_of(tmp_path, monkeypatch, 3)
    assert all(f"run-{i}" in text for i in range(3))
    assert "100 of 400 steps  success -  left 1:00  5 steps/s  asked 3" in text
    assert "of 3 runs" not in text
    assert ended == [0]


def test_of_many_only_those_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, ended = output_of(tmp_path, monkeypatch, 9)
    assert "run-1" in text
    assert not any(f"run-{i}" in text for i in range(2, 9))
    assert "0 of 9 runs" in text  # before the first has ended
    assert "1 of 9 runs" in text
    assert ended == [0]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_bar_steps_and_success_are_shown_at_any_width(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of a usual run alone has 31 columns."""

    def train_all(
        _: object,
        __: object,
        *,
        on_progress: Callable[[int, TrainingStatus], None],
        **___: Any,
    ) -> None:
        on_progress(0, TrainingStatus(123_456, 300_000, 1234.0, 0.5, 77, 3))

    monkeypatch.setattr(progress, "train_all", train_all)
    run = Run.create(tmp_path / "run", TrainConfig(task="KeyRoom-S15"))
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=width, color_system=None)
    progress.train_with_progress([run], LocalProcesses(), console=console)
    plain = re.sub("\x1b\\[[^a-zA-Z]*[a-zA-Z]", "", written.getvalue())
    lines = [line for line in re.split("[\r\n]+", plain) if line.strip()]
    assert all(len(line.rstrip()) <= width for line in lines)
    assert "123,456 of 300,000 steps  success 50%" in lines[-1]
    assert "━" in lines[-1]


def test_names_are_shortened_in_their_middle() -> None:
    assert progress.shortened("KeyRoom-S5-rules-once-cnn-seed0", 13) == "KeyRoo…-seed0"
    assert progress.shortened("short", 13) == "short"


def test_a_log_is_told_of_waiting_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def train_all(
        _: object, __: object, *, on_progress: Callable[[int, TrainingStatus], None], **___: Any
    ) -> None:
        for now[0] in (3.0, 11.0, 12.0, 25.0):
            waiting = (now[0], int(now[0]), 45, 1.0)
            on_progress(0, TrainingStatus(128, 4096, 50.0, 0.0, 5, 2, *waiting))
        now[0] = 60.0
        on_progress(0, TrainingStatus(512, 4096, 50.0, 0.0, 5, by_student=3))

    monkeypatch.setattr(progress, "train_all", train_all)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    run = Run.create(tmp_path / "run", TrainConfig())
    written = io.StringIO()
    console = Console(file=written, width=100)
    progress.train_with_progress([run], LocalProcesses(), console=console, labels=["one"])
    assert written.getvalue().splitlines() == [
        "one: 128 of 4,096 steps  waiting for the judge for 11 s: 11 of 45 answers, 1.0/s"
        "  asked 5, 2 pending",
        "one: 128 of 4,096 steps  waiting for the judge for 25 s: 25 of 45 answers, 1.0/s"
        "  asked 5, 2 pending",
        "one: 512 of 4,096 steps  success 0%  left 1:11  50 steps/s  asked 5,"
        " 3 answered by the student",
    ]

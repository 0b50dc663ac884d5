"""Progress in a terminal: a bar a run, and of many runs only those at work."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agents.training import progress
from agents.training.config import TrainConfig
from agents.training.run_folder import Run
from agents.training.train import Progress


def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int) -> tuple[str, list[int]]:
    """What is on the terminal while run 1 is at work and run 0 has ended, and which ended."""

    def train_all(
        _: object,
        *,
        on_progress: Callable[[int, Progress], None],
        on_end: Callable[[int], None],
        **__: Any,
    ) -> None:
        on_progress(0, Progress(400, 400, 7.0, 0.5, 0))
        on_end(0)
        on_progress(1, Progress(100, 400, 5.0, None, 3))

    monkeypatch.setattr(progress, "train_all", train_all)
    runs = [Run.create(tmp_path / str(i), TrainConfig(judge="none", seed=i)) for i in range(n)]
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100)
    ended: list[int] = []
    progress.train_with_progress(
        runs,
        store=None,
        base_url=None,
        console=console,
        labels=[f"run-{i}" for i in range(n)],
        on_end=ended.append,
    )
    return written.getvalue(), ended


def test_a_few_runs_have_a_bar_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, ended = shown(tmp_path, monkeypatch, 3)
    assert all(f"run-{i}" in text for i in range(3))
    assert "5 steps/s  success -  left 1:00  asked 3" in text
    assert "of 3 runs" not in text
    assert ended == [0]


def test_of_many_only_those_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, ended = shown(tmp_path, monkeypatch, 9)
    assert "run-1" in text
    assert not any(f"run-{i}" in text for i in range(2, 9))
    assert "1 of 9 runs" in text
    assert ended == [0]

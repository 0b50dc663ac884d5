"""What becomes of runs that report, end, fail, are lost or interrupted, anywhere."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.training.executor import Lost, News, train_all
from agents.training.run.folder import Run
from agents.training.run.status import TrainingStatus
from calm.errors import CalmError, EndpointError, UsageError

STATUS = TrainingStatus(100, 400, 50.0, None, 3)


class Scripted:
    """An executor whose attempts at each run report what a list says, one entry a call."""

    def __init__(self, scripts: dict[int, list[News]], at_once: int = 9) -> None:
        self.scripts, self.at_once = scripts, at_once
        self.working: list[int] = []
        self.starts: list[int] = []
        self.ends: list[bool] = []

    def begin(self, runs: Sequence[Run]) -> None:
        self.runs = runs

    @property
    def room(self) -> bool:
        return len(self.working) < self.at_once

    def start(self, i: int) -> bool:
        self.working.append(i)
        self.starts.append(i)
        return True

    def news(self) -> list[tuple[int, News]]:
        news_of_runs = [(i, self.scripts[i].pop(0)) for i in self.working]
        for i, news in news_of_runs:
            if not isinstance(news, TrainingStatus):
                self.working.remove(i)
        return news_of_runs

    def end(self, interrupt: bool) -> None:
        self.ends.append(interrupt)


def runs(tmp_path: Path, n: int) -> list[Run]:
    return [Run(tmp_path / str(i)) for i in range(n)]


def test_a_failure_is_raised_when_the_others_have_ended(tmp_path: Path) -> None:
    executor = Scripted({0: [EndpointError("gone")], 1: [STATUS, None], 2: [None]}, at_once=2)
    ended: list[int] = []
    with pytest.raises(EndpointError, match=r"training failed; .*/0: gone$"):
        train_all(runs(tmp_path, 3), executor, on_end=ended.append)
    assert ended == [1, 2]
    assert executor.ends == [False]


def test_the_failure_of_a_run_alone_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        train_all(runs(tmp_path, 1), Scripted({0: [UsageError("wrong")]}))
    assert str(error.value) == f"{tmp_path / '0'}: wrong"


def test_failures_of_several_kinds_are_one_error_without_a_kind(tmp_path: Path) -> None:
    executor = Scripted({0: [EndpointError("gone")], 1: [UsageError("wrong")]})
    with pytest.raises(CalmError, match=r"gone; .*wrong") as error:
        train_all(runs(tmp_path, 2), executor)
    assert type(error.value) is CalmError


def test_a_lost_run_is_tried_again_and_the_others_go_on(tmp_path: Path) -> None:
    executor = Scripted({0: [Lost("its node died"), STATUS, None], 1: [STATUS, STATUS, None]})
    losses: list[tuple[int, str]] = []
    train_all(
        runs(tmp_path, 2), executor, retries=1, on_lost=lambda i, why: losses.append((i, why))
    )
    assert losses == [(0, "its node died")]
    assert executor.starts == [0, 1, 0]


def test_a_run_that_is_always_lost_fails_after_its_retries(tmp_path: Path) -> None:
    executor = Scripted({0: [Lost(f"loss {n}") for n in range(9)], 1: [STATUS, None]})
    ended: list[int] = []
    with pytest.raises(CalmError, match=r"/0: loss 3$"):
        train_all(runs(tmp_path, 2), executor, retries=3, on_end=ended.append)
    assert executor.starts == [0, 1, 0, 0, 0]
    assert ended == [1]


def test_losses_count_anew_after_a_later_checkpoint(tmp_path: Path) -> None:
    run = Run(tmp_path)

    class Progressing(Scripted):
        def start(self, i: int) -> bool:
            run.save_checkpoint({"steps": 100 * min(3, len(self.starts) + 1)})
            return super().start(i)

    executor = Progressing({0: [Lost("again")] * 9})
    with pytest.raises(CalmError, match="again"):
        train_all([run], executor, retries=1)
    # Checkpoints of 100, 200 and 300 steps, and of 300 again: the second loss in a row.
    assert len(executor.starts) == 4


def test_an_interrupted_run_ends_all_and_nothing_is_tried_again(tmp_path: Path) -> None:
    executor = Scripted({0: [KeyboardInterrupt()], 1: [Lost("with it")], 2: [None]}, at_once=2)
    with pytest.raises(KeyboardInterrupt):
        train_all(runs(tmp_path, 3), executor, retries=3)
    assert executor.starts == [0, 1]
    assert executor.ends == [True]


def test_an_executor_that_can_not_begin_is_ended(tmp_path: Path) -> None:
    class Nowhere(Scripted):
        def begin(self, runs: Sequence[Run]) -> None:
            raise UsageError("no cluster")

    executor = Nowhere({})
    with pytest.raises(UsageError, match="no cluster"):
        train_all(runs(tmp_path, 1), executor)
    assert executor.ends == [False]

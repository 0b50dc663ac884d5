"""Workers that share a folder: each cell trained by one, the dead ones' by another."""

import signal
from pathlib import Path

import pytest

from agents.cluster import worker as worker_module
from agents.cluster.claims import Claims, State
from agents.cluster.versions import versions
from agents.cluster.worker import Worker
from agents.study.order import Order
from agents.study.plans.load import load_plan
from agents.study.results import read_results
from agents.study.run import run_study
from agents.training.executor import Lost, train_all
from agents.training.parallel import LocalProcesses
from agents.training.run.folder import Run
from agents.training.run.lock import FolderInUse
from agents.training.settings.config import TrainConfig
from calm.errors import CalmError, UsageError
from tests.support.processes import eventually, python
from tests.support.tiny_study import PLAN


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The cells whose process was started, which then never reports; and no pauses."""
    cells: list[int] = []
    monkeypatch.setattr(LocalProcesses, "start", lambda _, i: cells.append(i) or True)
    monkeypatch.setattr(worker_module, "LOOK_SECONDS", 0.0)
    return cells


def runs(folder: Path, n: int) -> list[Run]:
    config = TrainConfig(judge="none", n_envs=4, n_steps=16, steps=64)
    return [
        Run.create(folder / "cells" / "KeyRoom-S5" / "fair" / f"seed{i}", config) for i in range(n)
    ]


def claims(folder: Path, seed: int) -> Claims:
    return Claims(folder / "claims" / "KeyRoom-S5" / "fair" / f"seed{seed}")


def begun(folder: Path, n: int, losses: int = 3) -> Worker:
    worker = Worker(folder / "claims", most_losses=losses, at_once=9)
    worker.begin(runs(folder, n))
    return worker


def test_a_cell_that_another_worker_trains_is_left_to_it(
    tmp_path: Path, started: list[int]
) -> None:
    other = claims(tmp_path, 0)
    assert other.take(lambda: 0)
    worker = begun(tmp_path, 2)
    assert [worker.start(i) for i in (0, 1)] == [False, True]
    assert started == [1]
    other.release("released")
    worker._next_look.clear()
    assert worker.start(0)
    assert started == [1, 0]
    worker.end(interrupt=False)
    assert other.take(lambda: 0)  # what this worker held is free again


@pytest.mark.parametrize("state", ["done", "failed"])
def test_how_a_cell_ended_elsewhere_is_told(
    tmp_path: Path, started: list[int], state: State
) -> None:
    other = claims(tmp_path, 0)
    assert other.take(lambda: 0)
    worker = begun(tmp_path, 1)
    other.release(state, "its judge refused")
    assert worker.start(0)
    ((i, news),) = worker.news()
    assert (i, started) == (0, [])
    assert news is None if state == "done" else str(news) == "its judge refused"
    worker.end(interrupt=False)


def test_a_cell_over_which_workers_die_is_given_up_for_all(
    tmp_path: Path, started: list[int]
) -> None:
    other = claims(tmp_path, 0)
    for _ in range(2):
        assert other.take(lambda: 0)
        other.release("lost")
    worker = begun(tmp_path, 1, losses=1)
    assert worker.start(0)
    ((_, news),) = worker.news()
    assert isinstance(news, CalmError)
    assert "2 attempts in a row at it were lost" in str(news)
    assert started == []
    latest = other.latest()
    assert latest is not None
    assert latest.state == "failed"
    worker.end(interrupt=False)


def test_a_worker_that_was_taken_for_dead_stops(
    tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = begun(tmp_path, 1)
    assert worker.start(0)
    ends: list[str] = []

    class Process:
        def kill(self) -> None:
            ends.append("killed")

        def join(self, timeout: float = 0) -> None: ...

        def is_alive(self) -> bool:
            return True

    worker._working[0] = Process()  # type: ignore[assignment]
    (tmp_path / "claims" / "KeyRoom-S5" / "fair" / "seed0" / "2").write_text("{}")
    assert not worker._claims[0].beat()
    worker._taken_over.add(0)
    assert (0, Lost("another worker has taken it over, as this one gave no sign of life")) in (
        worker.news()
    )
    assert ends == ["killed"]
    worker.end(interrupt=False)


def test_cells_whose_joined_names_are_equal_have_a_claim_each(
    tmp_path: Path, started: list[int]
) -> None:
    config = TrainConfig(judge="none", n_envs=4, n_steps=16, steps=64)
    worker = Worker(tmp_path / "claims", at_once=9)
    cells = [
        tmp_path / "cells" / task / arm / "seed0" for task, arm in (("A-B", "c"), ("A", "B-c"))
    ]
    worker.begin([Run.create(cell, config) for cell in cells])
    assert [worker.start(i) for i in (0, 1)] == [True, True]
    assert started == [0, 1]
    worker.end(interrupt=False)


def test_a_cell_that_had_failed_before_is_tried_anew(tmp_path: Path, started: list[int]) -> None:
    other = claims(tmp_path, 0)
    assert other.take(lambda: 0)
    other.release("failed", "no key for the endpoint")
    worker = begun(tmp_path, 1)
    assert worker.start(0)
    assert started == [0]
    worker.end(interrupt=False)


def test_a_cell_that_someone_else_trains_in_its_folder_has_not_failed(
    tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = begun(tmp_path, 1)
    assert worker.start(0)
    in_use = FolderInUse("seed0 is in use by process 7")
    monkeypatch.setattr(LocalProcesses, "news", lambda _: [(0, in_use)])
    assert list(worker.news()) == [(0, Lost("seed0 is in use by process 7"))]
    latest = claims(tmp_path, 0).latest()
    assert latest is not None
    assert latest.state == "released"
    worker.end(interrupt=False)


def test_a_worker_of_other_versions_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begun(tmp_path, 1)
    begun(tmp_path / "elsewhere", 1).end(interrupt=False)
    monkeypatch.setattr(worker_module, "versions", lambda: versions() | {"torch": "1.0"})
    with pytest.raises(UsageError, match=r"has torch 1\.0 and not .* remove .*versions\.json"):
        Worker(tmp_path / "claims").begin([])
    first.end(interrupt=False)


PROGRAM = """
import sys
from pathlib import Path
from agents.cluster.worker import Worker
from agents.study.plans.load import load_plan
from agents.study.order import Order
from agents.study.run import run_study

plan, out = map(Path, sys.argv[1:])
worker = Worker(out / "claims", out / "store.sqlite", at_once=1, dead_seconds=10, beat_seconds=1)
run_study(load_plan("tiny", plan), Order(seeds=1, shared=True, retries=3), out, executor=worker)
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_killed_workers_cell_is_finished_by_another(tmp_path: Path) -> None:
    plan, out = tmp_path / "tiny.yaml", tmp_path / "out"
    plan.write_text(PLAN)
    folders = [out / "cells" / "KeyRoom-S5" / arm / "seed0" for arm in ("one", "two")]
    with python("-c", PROGRAM, plan, out) as first:
        assert eventually((folders[0] / "checkpoint.pt").exists, 600)
        first.send_signal(signal.SIGKILL)
    assert (out / "claims" / "KeyRoom-S5" / "one" / "seed0" / "1").exists()  # and it holds no more
    with python("-c", PROGRAM, plan, out) as second:
        assert second.wait(1000) == 0
    assert {cell.arm for cell in read_results(out / "results")} == {"one", "two"}
    assert (out / "report.html").exists()
    assert Run(folders[0]).resumed_at
    assert not Run(folders[1]).resumed_at


@pytest.mark.slow
def test_a_shared_study_can_be_finished_here_alone(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(PLAN.replace("3200", "256"))
    plan, out = load_plan("tiny", tmp_path / "tiny.yaml"), tmp_path / "out"
    worker = Worker(out / "claims", out / "store.sqlite", at_once=1)
    run_study(plan, Order(seeds=1, arms=["one"], shared=True), out, executor=worker)
    run_study(plan, Order(seeds=1), out)
    assert len(read_results(out / "results")) == 2


def test_no_cells_are_no_work(tmp_path: Path) -> None:
    train_all([], Worker(tmp_path / "claims"))

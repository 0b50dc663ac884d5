"""Cells as Slurm jobs: refused, preempted, killed, requeued; with a Slurm of one machine."""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest

from agents.cluster.cell import CellNeeds
from agents.cluster.questions import Asking
from agents.cluster.slurm_executor import SlurmExecutor
from agents.cluster.slurm_job import Submission
from agents.study.results import read_results
from agents.training.executor import train_all
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from calm.errors import UsageError
from calm.owned.address import ADDRESS, TOKEN
from tests.support.processes import eventually, python
from tests.support.slurm import fake_slurm
from tests.support.tiny_study import PLAN

pytest.importorskip("submitit")


def executor(folder: Path, *partitions: str) -> SlurmExecutor:
    return SlurmExecutor(partitions, folder / "slurm", CellNeeds(), Asking(folder / "store.sqlite"))


def run(folder: Path) -> Run:
    return Run.create(folder / "run", TrainConfig(judge="none"))


def test_a_machine_without_slurm_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(UsageError, match=r"there is no Slurm here .*--slurm local"):
        train_all([run(tmp_path)], executor(tmp_path, "day"))


def test_a_partition_that_does_not_exist_is_told_in_slurms_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in fake_slurm(tmp_path / "fake").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=r"jobs for dy: .*invalid partition specified: dy"):
        train_all([run(tmp_path)], executor(tmp_path, "dy"))


def test_local_is_no_partition_among_others(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be among others"):
        train_all([run(tmp_path)], executor(tmp_path, "local", "day"))


@pytest.mark.parametrize(("address", "is_taken_up"), [("http://a:1", True), ("http://a:2", False)])
def test_a_job_that_asks_an_owner_which_is_elsewhere_now_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, is_taken_up: bool
) -> None:
    """The owner of a later command could not have the port of the earlier one."""
    one = run(tmp_path)
    Submission("first", "http://a:1").write(one.folder)
    (tmp_path / "slurm").mkdir()
    jobs = {str(one.folder.resolve()): "7"}
    (tmp_path / "slurm" / "jobs.json").write_text(json.dumps(jobs))
    job = Mock(**{"done.return_value": False})
    monkeypatch.setattr("submitit.AutoExecutor", Mock())
    monkeypatch.setattr("submitit.SlurmJob", Mock(return_value=job))

    @contextmanager
    def owner(self: Asking, runs: Sequence[Run], host: str | None) -> Iterator[dict[str, str]]:
        yield {ADDRESS: address, TOKEN: "secret"}

    monkeypatch.setattr(Asking, "owner", owner)
    slurm = executor(tmp_path, "day")
    slurm.begin([one])
    assert list(slurm._jobs) == [0] * is_taken_up
    assert job.cancel.called == (not is_taken_up)
    slurm.start(0)
    assert slurm._new == [0] * (not is_taken_up)


def pid_of(state: Path, folder: Path) -> int | None:
    """The process that trains in a run's folder, as its owner."""
    try:
        return int(json.loads((folder / "owner.json").read_text())["pid"])
    except (OSError, ValueError):
        return None


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_jobs_that_are_preempted_and_killed_finish_the_study(tmp_path: Path) -> None:
    """Slurm asks the job of one cell to make room, and loses the node of the other."""
    plan, out = tmp_path / "tiny.yaml", tmp_path / "out"
    plan.write_text(PLAN)
    environment = fake_slurm(tmp_path / "fake")
    folders = [out / "cells" / "KeyRoom-S5" / arm / "seed0" for arm in ("one", "two")]
    command = ["-m", "calm", "study", "--plan", plan, "--out", out, "--seeds", 1, "--slurm", "day"]
    with python(*command, env=environment) as study:
        assert eventually(lambda: all((f / "checkpoint.pt").exists() for f in folders), 600)
        pids = [pid_of(tmp_path, folder) for folder in folders]
        assert all(pids)
        for pid, number in zip(pids, (signal.SIGUSR2, signal.SIGKILL), strict=True):
            assert pid is not None
            os.kill(pid, number)
        assert study.wait(1200) == 0
    assert len(read_results(out / "results")) == 2
    assert all(Run(folder).resumed_at for folder in folders)
    assert not list(out.rglob("status.json"))


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_stopped_study_resumes_and_may_be_finished_without_slurm(tmp_path: Path) -> None:
    plan, out = tmp_path / "tiny.yaml", tmp_path / "out"
    plan.write_text(PLAN)
    folder = out / "cells" / "KeyRoom-S5" / "one" / "seed0"
    command = ["-m", "calm", "study", "--plan", plan, "--out", out, "--seeds", 1, "--arms", "one"]
    with python(*command, "--slurm", "local", "--at-once", 1) as study:
        assert eventually((folder / "checkpoint.pt").exists, 600)
        study.send_signal(signal.SIGINT)
        assert study.wait(600) == 130
    assert not (folder / "owner.json").exists()
    steps = Run(folder).load_checkpoint()["steps"]
    with python(*command) as study:
        assert study.wait(600) == 0
    assert Run(folder).resumed_at == [steps]

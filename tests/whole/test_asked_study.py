"""Studies whose judge is asked, on Ray and on Slurm: a node, a job, the driver is killed in its
midst. Nothing is lost, nothing is asked twice, and the results are those of one machine."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.asked_study import (
    PLAN,
    check_finished,
    check_secret,
    endpoint,
    runs_of,
    steps,
    trainer_of,
)
from tests.support.processes import eventually, python
from tests.support.ray_cluster import ENVIRONMENT, ray_cluster, trains
from tests.support.slurm import fake_slurm

SECONDS = 1500  # that a study may take where other work has most of the processor


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command of the study; its folder is `out`."""
    for name in ("CALM_OWNER", "CALM_OWNER_TOKEN", "CALM_OWNER_TOKEN_FILE", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "asked.yaml").write_text(PLAN)
    command = ["-m", "calm", "study", "--plan", str(tmp_path / "asked.yaml"), "--seeds", "1"]
    return [*command, "--out", str(tmp_path / "out")]


def ended(process: subprocess.Popen[str]) -> bool:
    """Whether a process has ended by itself, which fails the test that waits for it."""
    assert process.poll() is None, f"ended with {process.returncode}"
    return False


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
def test_a_node_of_a_ray_cluster_is_killed(
    study: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    out = tmp_path / "out"
    runs = runs_of(out)
    with endpoint() as server, ray_cluster(monkeypatch, nodes=3) as cluster:
        where = ["--base-url", server.url, "--ray", cluster.address, "--memory", 0.3]
        with python(*study, *where, env=ENVIRONMENT) as process:
            assert eventually(lambda: ended(process) or min(map(steps, runs)) >= 256, SECONDS)
            # The driver is on the head, so one cell at least is on another node.
            node = next(n for n in cluster.worker_nodes if trains(n))
            before = {run.folder: steps(run) for run in runs}
            cluster.remove_node(node, allow_graceful=False)
            token = (out / "store.sqlite.owner-token").read_text().strip()
            check_secret(token, out)
            assert process.wait(SECONDS) == 0
        check_secret(token, Path(os.environ["RAY_TMPDIR"]))
        assert len([run for run in runs if run.resumed_at]) == 1
        for run in runs:  # nothing that had come was lost
            assert all(step >= before[run.folder] for step in run.resumed_at)
        check_finished(out, server, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3 * SECONDS)
def test_the_driver_of_a_ray_cluster_is_killed(
    study: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it the owner of questions dies; the same command resumes."""
    pytest.importorskip("ray")
    out = tmp_path / "out"
    runs = runs_of(out)
    with endpoint() as server, ray_cluster(monkeypatch, nodes=2) as cluster:
        where = ["--base-url", server.url, "--ray", cluster.address, "--memory", 0.3]
        with python(*study, *where, env=ENVIRONMENT) as process:
            assert eventually(lambda: ended(process) or min(map(steps, runs)) >= 256, SECONDS)
            before = {run.folder: steps(run) for run in runs}
            process.kill()
            process.wait(60)
        with python(*study, *where, env=ENVIRONMENT) as process:
            assert process.wait(SECONDS) == 0
        for run in runs:
            assert len(run.resumed_at) == 1
            assert run.resumed_at[0] >= before[run.folder]
        check_finished(out, server, tmp_path, in_flight=server.most_in_flight)


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
def test_a_job_of_submitits_local_executor_and_then_the_driver_are_killed(
    study: list[str], tmp_path: Path
) -> None:
    """Jobs outlive the driver; the same command takes them up, and they their owner."""
    pytest.importorskip("submitit")
    out = tmp_path / "out"
    runs = runs_of(out)
    with endpoint() as server:
        where = ["--base-url", server.url, "--slurm", "local"]
        with python(*study, *where) as process:
            assert eventually(lambda: ended(process) or min(map(steps, runs)) >= 256, SECONDS)
            os.kill(trainer_of(runs[0]), signal.SIGKILL)
            assert eventually(lambda: ended(process) or len(runs[0].resumed_at) == 1, SECONDS)
            token = (out / "store.sqlite.owner-token").read_text().strip()
            check_secret(token, out)
            process.kill()
            process.wait(60)
        with python(*study, *where) as process:
            assert process.wait(SECONDS) == 0
        check_finished(out, server, tmp_path, in_flight=server.most_in_flight)
    assert len(runs[0].resumed_at) == 1  # by the job's death; not by the driver's
    assert runs[1].resumed_at == []


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
def test_the_driver_of_slurm_jobs_is_killed(study: list[str], tmp_path: Path) -> None:
    """Jobs go on meanwhile as far as they know the answers, and then wait for the owner."""
    pytest.importorskip("submitit")
    out = tmp_path / "out"
    runs = runs_of(out)
    environment = fake_slurm(tmp_path / "fake")
    with endpoint() as server:
        where = ["--base-url", server.url, "--slurm", "day"]
        with python(*study, *where, env=environment) as process:
            assert eventually(lambda: ended(process) or min(map(steps, runs)) >= 256, SECONDS)
            process.kill()
            process.wait(60)
        with python(*study, *where, env=environment) as process:
            assert process.wait(SECONDS) == 0
        check_finished(out, server, tmp_path, in_flight=server.most_in_flight)
    assert [run.resumed_at for run in runs] == [[], []]

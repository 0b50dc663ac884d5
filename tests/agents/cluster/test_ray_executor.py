"""Cells on a Ray cluster: of three nodes on this machine, one of which is killed; and of none."""

import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.cluster.cell import CellNeeds, Ending
from agents.cluster.questions import Asking
from agents.cluster.ray_executor import RayExecutor, _check_answers
from agents.cluster.ray_task import Message
from agents.study.order import Order
from agents.study.plan import Cell
from agents.study.plans.load import load_plan
from agents.study.results import read_results
from agents.study.run import run_study
from agents.training.executor import Lost
from agents.training.run.folder import Run
from agents.training.train import train
from calm.errors import EndpointError, UsageError
from tests.support.processes import eventually, python
from tests.support.ray_cluster import ENVIRONMENT, leftovers, ray_cluster, trains

pytest.importorskip("ray")

PLAN = """
title: Tiny
all:
  {judge: none, n_envs: 4, n_steps: 32, eval_episodes: 4, features_dim: 16, steps: 6400,
   eval_every: 3200, checkpoint_every: 256}
tasks:
  KeyRoom-S5: {}
arms:
  one: {label: one, reward: 1 for the stairs, set: {}}
  two: {label: two, reward: 1 for the stairs, set: {judge: rules}}
compare: [[two, one]]
"""
TIMES = ("seconds", "cpu_seconds", "eval_seconds")
SECONDS = 1500  # that a study may take where other work has most of the processor


def untimed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows]


def steps(run: Run) -> int:
    """Those of the last checkpoint that came; read twice a second at most."""
    time.sleep(0.5)
    return int(run.load_checkpoint()["steps"]) if run.checkpoint_path.exists() else -1


def ended(process: subprocess.Popen[str]) -> bool:
    """Whether a process has ended by itself, which fails the test that waits for it."""
    assert process.poll() is None, f"ended with {process.returncode}"
    return False


@pytest.mark.parametrize("address", ["nowhere", "host:port", ":6379", "host:"])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(UsageError, match="is no address of a Ray cluster; name one of: auto"):
        _check_answers(address)


def test_an_address_of_rays_client_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match=r"on the head, or on any node, with --ray auto"):
        _check_answers("ray://head:10001")


def test_an_address_where_nothing_answers_is_told_at_once() -> None:
    with socket.socket() as bound:  # and does not listen
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(EndpointError, match=f"nothing answers at 127.0.0.1:{port}"):
            _check_answers(f"127.0.0.1:{port}")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_what_answers_and_is_no_cluster_is_told_at_once(answer: bytes) -> None:
    """Ray itself would try for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(EndpointError, match="is no Ray cluster"):
            _check_answers(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_an_executor_that_never_began_ends(tmp_path: Path) -> None:
    RayExecutor("auto", CellNeeds(), Asking(tmp_path / "store.sqlite")).end(interrupt=True)


class OneNode:
    """As much of Ray as an executor needs whose only task says where it is, and is lost there."""

    def __init__(self) -> None:
        self.exceptions = SimpleNamespace(
            **dict.fromkeys(
                (
                    "TaskCancelledError",
                    "OutOfMemoryError",
                    "NodeDiedError",
                    "RuntimeEnvSetupError",
                    "RayTaskError",
                    "RayError",
                ),
                ValueError,
            )
        )
        self.selectors: list[dict[str, str]] = []

    def nodes(self) -> list[dict[str, Any]]:
        resources = {"CPU": 4, "memory": 2**40}
        return [{"NodeID": n, "Alive": True, "Resources": resources} for n in ("bad", "good")]

    def wait(self, references: list[Any], **_: object) -> tuple[list[Any], list[Any]]:
        return references, []

    def get(self, reference: Any) -> Any:
        return Ending("lost", "no space is left"), {}

    def options(self, label_selector: dict[str, str]) -> "OneNode":
        self.selectors.append(label_selector)
        return self

    def remote(self, attempt: int, *_: object) -> int:
        return attempt

    def qsize(self) -> int:
        return 1

    def get_nowait_batch(self, n: int) -> list[Message]:
        return [Message(1, "bad")]


def test_a_cell_is_not_tried_again_on_the_node_that_lost_it(tmp_path: Path) -> None:
    executor, ray = RayExecutor("local", CellNeeds(), Asking(tmp_path / "s.sqlite")), OneNode()
    executor._ray = executor._task = executor._queue = ray
    executor._runs = [Run(tmp_path / "run")]
    executor._expected, executor._answers, executor._environment = {}, None, {}
    assert executor.start(0)
    assert ray.selectors == []
    assert list(executor.news()) == [(0, Lost("no space is left"))]
    assert executor.start(0)
    assert ray.selectors == [{"ray.io/node-id": "!in(bad)"}]
    for attempt in executor._attempts.values():
        attempt.ownership.close()


class StoppedRun(Run):
    """A run that is killed by the checkpoint of a step, as its node was."""

    stop_at = -1

    def save_checkpoint(self, state: Any) -> None:
        super().save_checkpoint(state)
        if state["steps"] == self.stop_at:
            raise SystemExit


def trained_here(folder: Path, like: Run) -> list[dict[str, Any]]:
    """The metrics of the same cell on this machine, resumed where the other one was."""
    Run.create(folder, like.config)
    for step in like.resumed_at:
        stopped = StoppedRun(folder)
        stopped.stop_at = step
        with pytest.raises(SystemExit):
            train(stopped, resume=None)
    return train(Run(folder), resume=None)


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
def test_a_study_survives_the_death_of_a_node_and_is_that_of_one_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, out = tmp_path / "tiny.yaml", tmp_path / "out"
    plan.write_text(PLAN)
    runs = [Run(out / "cells" / "KeyRoom-S5" / arm / "seed0") for arm in ("one", "two")]
    with ray_cluster(monkeypatch, nodes=3) as cluster:
        command = ["-m", "calm", "study", "--plan", plan, "--out", out, "--seeds", 1]
        where = ["--ray", cluster.address, "--memory", 0.3]
        with python(*command, *where, env=ENVIRONMENT) as study:
            assert eventually(lambda: ended(study) or min(map(steps, runs)) >= 256, SECONDS)
            # The driver is on the head, so one cell at least is on another node.
            node = next(n for n in cluster.worker_nodes if trains(n))
            before = {run.folder: steps(run) for run in runs}
            cluster.remove_node(node, allow_graceful=False)
            assert study.wait(SECONDS) == 0
    assert {cell.arm for cell in read_results(out / "results")} == {"one", "two"}
    killed = [run for run in runs if run.resumed_at]
    assert len(killed) == 1
    for run in runs:
        # Nothing that had come was lost.
        assert all(step >= before[run.folder] for step in run.resumed_at)
        here = trained_here(tmp_path / "here" / run.folder.parent.name, run)
        assert untimed(here) == untimed(run.metrics())


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
def test_a_study_stopped_on_a_cluster_of_one_is_finished_without(tmp_path: Path) -> None:
    plan, out = tmp_path / "tiny.yaml", tmp_path / "out"
    plan.write_text(PLAN)
    run = Run(out / "cells" / "KeyRoom-S5" / "one" / "seed0")
    command = ["-m", "calm", "study", "--plan", plan, "--out", out, "--seeds", 1, "--arms", "one"]
    where = ["--ray", "local", "--memory", 0.3, "--at-once", 1]
    with python(*command, *where, env=ENVIRONMENT) as study:
        assert eventually(lambda: ended(study) or steps(run) >= 256, SECONDS)
        study.send_signal(signal.SIGINT)
        assert study.wait(600) == 130
    assert not leftovers("calm-ray-")
    stopped_at = steps(run)
    assert 256 <= stopped_at < 6400
    run_study(load_plan("tiny", plan), Order(seeds=1, arms=["one"]), out)
    assert run.resumed_at == [stopped_at]
    rows = read_results(out / "results")[Cell("KeyRoom-S5", "one", 0)].rows
    assert [row["steps"] for row in rows] == [0, 3200, 6400]

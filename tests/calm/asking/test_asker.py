"""Nothing lost and nothing bought twice: kills, several processes, mixed faults."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from calm.errors import StoreError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.records import Task, Transition, Verdict
from calm.store.store import Store
from tests.support.nursery import RULES, SUBGOALS, TASK, Nursery


def numbers(n: int) -> list[Transition]:
    return [Transition("Count-v0", {"events": f"The number {i}."}, "") for i in range(n)]


def _table(path: Path) -> str:
    """Every answer in the store by its text: what a run leaves behind."""
    with Store(path, readonly=True) as store:
        rows = store.database.query(
            "SELECT t.text, a.sample, a.verdict, a.achieved, c.raw FROM answers a"
            " JOIN texts t ON t.id = a.text JOIN calls c ON c.id = a.call ORDER BY 1, 2"
        )
        assert store.database.query("PRAGMA integrity_check") == [("ok",)]
    return json.dumps(rows)


def _run_with_kills(
    nursery: Nursery, tmp_path: Path, kills: int, rows: int, latency: float, at_once: int
) -> None:
    rng = random.Random(kills)
    path = tmp_path / "killed.sqlite"
    with Loopback(RULES, latency=latency) as server:
        for _ in range(kills):
            before = server.requests
            worker = nursery.start(server.url, path, rows, concurrency=at_once)
            # Killed somewhere in its share of the work, wherever that is just then.
            target = before + rng.randint(1, max(2, rows // (kills + 1)))
            until = time.monotonic() + 60
            while server.requests < target and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 2 * latency))
            os.kill(worker, signal.SIGKILL)
        nursery.wait(nursery.start(server.url, path, rows, concurrency=at_once))
        # Nothing was asked again but what was in flight when its process died.
        assert server.requests <= rows + kills * at_once
        asked = server.requests
        nursery.wait(
            nursery.start(server.url, tmp_path / "whole.sqlite", rows, concurrency=at_once)
        )
        assert server.requests == asked + rows
    assert _table(path) == _table(tmp_path / "whole.sqlite")


def test_five_kills_lose_nothing(nursery: Nursery, tmp_path: Path) -> None:
    _run_with_kills(nursery, tmp_path, kills=5, rows=300, latency=0.02, at_once=8)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_lose_nothing(nursery: Nursery, tmp_path: Path) -> None:
    _run_with_kills(nursery, tmp_path, kills=50, rows=2000, latency=0.03, at_once=16)


def test_processes_that_share_a_store_share_the_work(nursery: Nursery, tmp_path: Path) -> None:
    path = tmp_path / "shared.sqlite"
    with Loopback(RULES, latency=0.03) as server:
        for worker in [nursery.start(server.url, path, 200, concurrency=8) for _ in range(3)]:
            nursery.wait(worker)
        assert server.requests == 200
        assert max(server.answered.values()) == 1


def test_an_answer_that_was_kept_but_never_read_is_read_and_not_bought_again(
    tmp_path: Path,
) -> None:
    with Loopback(RULES) as server, Store(tmp_path / "s.sqlite") as store:
        judge = make_judge("openai:m", base_url=server.url, store=store)
        judged = judge.judge(TASK, SUBGOALS, numbers(5))
        store.database.execute("UPDATE answers SET verdict = NULL, achieved = NULL")
        assert judge.judge(TASK, SUBGOALS, numbers(5)) == judged
        assert server.requests == 5


MIXED = {"429": 0.1, "500": 0.1, "hang": 0.1, "truncated-json": 0.1}


@pytest.mark.parametrize(
    "rows", [100, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_every_row_ends_in_a_class_with_ten_percent_each_of_four_faults(rows: int) -> None:
    with Loopback(RULES, faults=MIXED, seed=rows) as server:
        judge = make_judge(
            "openai:m", base_url=server.url, concurrency=32, timeout=2.0, backoff=0.05
        )
        judged = judge.judge(TASK, SUBGOALS, numbers(rows))
        classes = {v: sum(j.verdict is v for j in judged) for v in Verdict}
        assert classes[Verdict.OK] + classes[Verdict.INVALID] == rows
        assert 0.05 < classes[Verdict.INVALID] / rows < 0.25
        assert server.requests <= 2 * rows  # each is asked 1 / 0.7 times
        right = [
            j.row(SUBGOALS) == [int(i % 2 == 0), int(i % 10 == 7)]
            for i, j in enumerate(judged)
            if j.verdict is Verdict.OK
        ]
        assert all(right)


def test_all_faults_together_end_in_classes() -> None:
    faults = ["429", "500", "503-html", "html", "error-200", "empty-choices", "malformed", "cut",
              "reset", "truncated-json", "length", "refusal", "filter", "prose", "wrong-schema",
              "missing-subgoal", "echo-key", "context"]  # fmt: skip
    with Loopback(RULES, faults=dict.fromkeys(faults, 0.03), seed=3) as server:
        judge = make_judge("openai:m", base_url=server.url, timeout=20.0, backoff=0.02)
        judged = judge.judge(TASK, SUBGOALS, numbers(400))
    verdicts = {j.verdict for j in judged}
    assert verdicts == set(Verdict) - {Verdict.REPAIRED}
    assert all(j.reason for j in judged if not j.verdict.readable)


def test_leases_that_can_not_be_kept_stop_the_work(
    task: Task, rules: dict, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they would end, and other processes buy the same answers."""

    def locked(*_: object) -> None:
        raise StoreError("locked")

    monkeypatch.setattr("calm.asking.asker._LEASE", 0.03)
    monkeypatch.setattr(store.leases, "renew", locked)
    with Loopback(rules, latency=0.02) as server:
        judge = make_judge("openai:m", base_url=server.url, store=store, concurrency=1)
        with pytest.raises(StoreError, match="locked"):
            judge.judge(task, task.subgoals, numbers(100))
        assert server.requests < 100

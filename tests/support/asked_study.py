"""A study of two cells whose judge is asked over HTTP, and what must be true of it in the end."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.study.results import read_results
from agents.training.run.folder import Run
from agents.training.train import train
from calm.loopback import Loopback
from calm.store.store import Store
from envs.events.judge_rules import RULES

PLAN = """
title: Asked
all:
  {judge: "openai:any-model", n_envs: 4, n_steps: 32, eval_episodes: 4, features_dim: 16,
   steps: 6400, eval_every: 3200, checkpoint_every: 256}
tasks:
  KeyRoom-S5: {}
arms:
  one: {label: one, reward: and credit, set: {}}
  two: {label: two, reward: and credit, set: {gamma: 0.9}}
"""
ARMS = ("one", "two")
OF_PROCESS = (
    "seconds", "eval_seconds", "requests", "prompt_tokens", "completion_tokens", "cost",
)  # fmt: skip
"""Of a row of metrics: its times, and what this one process has paid, not another that asked the
same first."""


def endpoint() -> Loopback:
    """A server that answers by the rules."""
    return Loopback(rules=RULES)


def runs_of(out: Path) -> list[Run]:
    return [Run(out / "cells" / "KeyRoom-S5" / arm / "seed0") for arm in ARMS]


def steps(run: Run) -> int:
    """Those of the last checkpoint that came; read twice a second at most."""
    time.sleep(0.5)
    return int(run.load_checkpoint()["steps"]) if run.checkpoint_path.exists() else -1


def trainer_of(run: Run) -> int:
    """The process that trains in a run's folder, as its owner."""
    return int(json.loads((run.folder / "owner.json").read_text())["pid"])


def differences(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> list[str]:
    """What differs between the metrics of two runs, but for times and what each has paid."""
    rows = [{name: row[name] for name in row if name not in OF_PROCESS} for row in (*one, *other)]
    pairs = zip(rows[: len(one)], rows[len(one) :], strict=True)
    return [
        f"{name} at {a['steps']}: {a.get(name)}, {b.get(name)}"
        for a, b in pairs
        for name in a | b
        if a.get(name) != b.get(name)
    ]


class _StoppedRun(Run):
    """A run that is killed by the checkpoint of a step, as its node was."""

    stop_at = -1

    def save_checkpoint(self, state: Any) -> None:
        super().save_checkpoint(state)
        if state["steps"] == self.stop_at:
            raise SystemExit


def trained_here(folder: Path, like: Run, store: Path) -> list[dict[str, Any]]:
    """The metrics of the same cell on this machine, resumed where the other one was."""
    Run.create(folder, like.config)
    with endpoint() as server, Store(store) as opened:
        for step in like.resumed_at:
            stopped = _StoppedRun(folder)
            stopped.stop_at = step
            with pytest.raises(SystemExit):
                train(stopped, resume=None, store=opened, base_url=server.url)
        return train(Run(folder), resume=None, store=opened, base_url=server.url)


def check_finished(out: Path, server: Loopback, tmp_path: Path, in_flight: int = 0) -> None:
    """Checks that no cell is lost, no question was asked twice, and results are one machine's.

    Args:
        in_flight: questions at most whose answers came to nobody, since the owner was killed.
    """
    assert {cell.arm for cell in read_results(out / "results")} == set(ARMS)
    assert sum(times - 1 for times in server.answered.values()) <= in_flight
    with Store(out / "store.sqlite", readonly=True) as store:
        answers = store.database.value("SELECT count(*) FROM answers WHERE verdict = 'ok'")
    assert answers == len(server.answered) > 20
    for run in runs_of(out):
        here = trained_here(tmp_path / "here" / run.folder.parent.name, run, tmp_path / "s.sqlite")
        assert differences(here, run.metrics()) == []


def check_secret(token: str, folder: Path) -> None:
    """Checks that a token stands in no command line and in no file of a folder but its own."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert token.encode() not in entry.read_bytes()
        except OSError:
            continue
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.endswith(".owner-token"):
            try:
                assert token.encode() not in path.read_bytes(), path
            except OSError:
                continue

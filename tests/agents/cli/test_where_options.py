"""Which executor the options of `calm study` choose."""

import sys
from pathlib import Path
from typing import Any

import pytest

from agents.cli.where_options import WhereOptions
from agents.cluster.ray_executor import RayExecutor
from agents.cluster.slurm_executor import SlurmExecutor
from agents.cluster.worker import Worker
from agents.training.parallel import LocalProcesses
from calm.errors import UsageError
from calm.extras import advice_on_missing
from tests.support.command_line import run_calm

PLAN = """
title: Tiny
all: {judge: none, n_envs: 4, n_steps: 32, eval_episodes: 4, features_dim: 16, steps: 128}
tasks: {KeyRoom-S5: {}}
arms: {fair: {label: unshaped, reward: 1 for the stairs, set: {}}}
"""


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, LocalProcesses),
        ({"ray": "auto"}, RayExecutor),
        ({"slurm": ["day,night", "week"]}, SlurmExecutor),
        ({"worker": True}, Worker),
    ],
)
def test_each_has_its_executor(tmp_path: Path, options: dict[str, Any], kind: type) -> None:
    where = WhereOptions(**options)
    assert type(where.executor(tmp_path, None)) is kind
    assert where.elsewhere == bool(options)


def test_two_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"choose one of .*, got --ray --worker"):
        WhereOptions(ray="auto", worker=True).executor(tmp_path, None)


@pytest.mark.parametrize(
    ("option", "module"), [("--ray=local", "ray"), ("--slurm=day", "submitit")]
)
def test_what_is_not_installed_is_named_with_its_extra(
    tmp_path: Path,
    option: str,
    module: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "tiny.yaml").write_text(PLAN)
    monkeypatch.setitem(sys.modules, module, None)
    plan, out = tmp_path / "tiny.yaml", tmp_path / "out"
    done = run_calm("study", "--plan", plan, "--seeds", 1, "--out", out, option)
    assert isinstance(done.exception, ModuleNotFoundError)
    advice = advice_on_missing(done.exception)
    assert advice is not None
    assert f"needs {module}, which is not installed: it comes with the extra" in advice

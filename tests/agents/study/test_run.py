"""A tiny study on real MiniHack: killed, resumed, carried to another folder."""

import json
import shutil
import signal
import subprocess
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from agents.study.order import Order
from agents.study.plan import Cell, Plan
from agents.study.plans.load import load_plan
from agents.study.results import read_results
from agents.study.run import _run, run_study
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from calm.errors import CalmError, UsageError
from tests.support.owner import owning_process
from tests.support.processes import eventually, python, running

FIRST, SECOND = Cell("KeyRoom-S5", "fair", 0), Cell("KeyRoom-S5", "rules", 0)
PLAN = """
title: Tiny
all: {n_envs: 4, n_steps: 32, eval_episodes: 4, features_dim: 16, steps: 384, eval_every: 128}
tasks:
  KeyRoom-S5: {}
arms:
  fair: {label: unshaped, reward: 1 for the stairs, set: {judge: none}}
  rules: {label: rules, reward: and credit, set: {judge: rules}}
compare: [[rules, fair]]
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(PLAN)
    return path


def load(path: Path) -> Plan:
    return load_plan("tiny", path)


def descendants(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [one for child in map(int, listed) for one in (child, *descendants(child))]


def test_a_killed_study_resumes_and_finished_cells_are_left_alone(
    tmp_path: Path, plan: Path
) -> None:
    out = tmp_path / "out"
    second = Run(out / "cells" / str(SECOND))
    command = ["-m", "calm", "study", "--plan", plan, "--out", out, "--seeds", 1, "--at-once", 1]
    # The first cell is short, and the second long enough to be killed in its middle.
    plan.write_text(PLAN.replace("set: {judge: rules}", "set: {judge: rules, steps: 100_000}"))
    with python(*command) as process:
        assert eventually(second.checkpoint_path.exists, 240)
        workers = descendants(process.pid)
        assert workers
    assert process.returncode == -signal.SIGKILL
    assert eventually(lambda: not any(running(pid) for pid in workers))
    steps = second.load_checkpoint()["steps"]
    assert set(read_results(out / "results")) == {FIRST}
    assert not (out / "report.html").exists()

    # It goes on with a nearer end, so that the test has one.
    shorter = second.config.model_copy(update={"steps": steps + 256})
    shorter.save(second.folder / "config.yaml")
    plan.write_text(PLAN.replace("judge: rules}", f"judge: rules, steps: {steps + 256}}}"))
    before = Run(out / "cells" / str(FIRST)).metrics_path.stat().st_mtime_ns
    report = run_study(load(plan), Order(seeds=1), out, command="calm study tiny")
    assert Run(out / "cells" / str(FIRST)).metrics_path.stat().st_mtime_ns == before
    stored = read_results(out / "results")
    assert set(stored) == {FIRST, SECOND}
    assert stored[SECOND].provenance["resumed_at"] == [steps]
    assert stored[SECOND].rows[-1]["steps"] >= steps + 256
    assert stored[SECOND].rows[-1]["asked"] > 0
    assert stored[FIRST].rows[-1]["repeats"] is not None
    html = report.read_text("utf-8")
    for text in ("Tiny", "calm study tiny", str(SECOND), stored[SECOND].hash, "rules", "unshaped"):
        assert text in html, text


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study whose two cells are trained: OUT/cells, OUT/results, OUT/report.html.

    Beside it lies its plan, tiny.yaml. Nothing may be written into it.
    """
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(PLAN)
    run_study(load(folder / "tiny.yaml"), Order(seeds=1), folder / "out")
    return folder / "out"


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished study's results."""
    return Path(shutil.copytree(finished / "results", tmp_path / "results"))


def test_results_that_can_not_be_kept_are_told_before_any_cell_begins(
    tmp_path: Path, plan: Path
) -> None:
    (tmp_path / "afile").write_text("x")
    with pytest.raises(
        UsageError, match=r"can't write .*afile.*name another folder with --results"
    ):
        run_study(load(plan), Order(seeds=1), tmp_path / "out", results=tmp_path / "afile")
    assert not (tmp_path / "out" / "cells").exists()


def test_elsewhere_nothing_is_trained_again(results: Path, tmp_path: Path, plan: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    run_study(load(plan), Order(seeds=1), elsewhere, results=results)
    assert (elsewhere / "report.html").exists()
    assert not (elsewhere / "cells").exists()


def test_results_of_other_settings_are_not_mixed_in(
    results: Path, tmp_path: Path, plan: Path
) -> None:
    changed = Order(seeds=1, overrides={"gamma": 0.9}, train=False)
    with pytest.raises(UsageError, match=r"gamma: 0\.99, now 0\.9.*--replace"):
        run_study(load(plan), changed, tmp_path / "elsewhere", results=results)
    with pytest.raises(CalmError, match="nothing to report"):
        run_study(load(plan), replace(changed, replace=True), tmp_path / "out", results=results)
    assert set(read_results(results)) == {FIRST, SECOND}  # and none was lost


def test_a_run_begun_with_other_settings_is_not_resumed(
    finished: Path, tmp_path: Path, plan: Path
) -> None:
    changed = Order(seeds=1, overrides={"gamma": 0.9}, train=False)
    with pytest.raises(UsageError, match="was begun with other settings"):
        run_study(load(plan), changed, finished, results=tmp_path / "no results")


def test_a_schedule_to_the_last_step_is_not_lengthened(tmp_path: Path) -> None:
    begun = TrainConfig(steps=128, learning_rate_end=0.0)
    run, longer = Run.create(tmp_path / "run", begun), begun.model_copy(update={"steps": 256})
    run.save_checkpoint({"steps": 32})
    with pytest.raises(UsageError, match="was begun with a schedule to its last step, 128"):
        _run(run.folder, longer, create=True)
    run.checkpoint_path.unlink()
    _run(run.folder, longer, create=True)  # nothing of it has been trained
    assert run.config == longer
    fixed = Run.create(tmp_path / "fixed", begun.model_copy(update={"schedule_steps": 64}))
    fixed.save_checkpoint({"steps": 32})
    _run(fixed.folder, longer.model_copy(update={"schedule_steps": 64}), create=True)
    assert fixed.config.steps == 256  # its schedule ended before


@pytest.mark.slow
def test_a_longer_budget_resumes_the_shorter_one(tmp_path: Path, plan: Path) -> None:
    out = tmp_path / "out"
    order = {"seeds": 1, "arms": ["fair"]}
    run_study(load(plan), Order(**order, overrides={"steps": 128}), out)  # type: ignore[arg-type]
    longer = Order(**order, overrides={"steps": 256})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="steps: 128, now 256"):
        run_study(load(plan), longer, out)  # its results are those of a shorter one
    run_study(load(plan), Order(**vars(longer) | {"replace": True}), out)
    stored = read_results(out / "results")[FIRST]
    assert [row["steps"] for row in stored.rows] == [0, 128, 256]
    assert stored.provenance["resumed_at"] == [128]
    index = json.loads((out / "results" / "cells.json").read_text("utf-8"))
    assert [entry["settings"]["steps"] for entry in index] == [256]


def test_a_study_that_is_told_to_stop_reports_what_is_finished(tmp_path: Path, plan: Path) -> None:
    out = tmp_path / "out"
    plan.write_text(PLAN.replace("set: {judge: rules}", "set: {judge: rules, steps: 100_000}"))
    second = Run(out / "cells" / str(SECOND))
    command = ["-m", "calm", "study", "--plan", plan, "--out", out, "--seeds", 1, "--at-once", 1]
    with python(*command, stderr=subprocess.PIPE) as process:
        assert eventually(second.checkpoint_path.exists, 240)
        process.terminate()
        messages = process.communicate(timeout=240)[1]
    assert process.returncode == 143, messages
    assert set(read_results(out / "results")) == {FIRST}
    assert str(FIRST) in (report := out / "report.html").read_text("utf-8")
    assert f"the report of what is finished: {report}" in messages
    assert f"study --plan {plan} --out {out} --seeds 1 --at-once 1" in messages
    assert second.load_checkpoint()["steps"] < 100_000


def test_two_studies_in_one_folder_are_one_too_many(tmp_path: Path, plan: Path) -> None:
    out = tmp_path / "out"
    with owning_process(out), pytest.raises(UsageError, match="in use by process"):
        run_study(load(plan), Order(), out)
    with owning_process(out), pytest.raises(CalmError, match="no cell of tiny is finished"):
        run_study(load(plan), Order(train=False), out)  # what is there can be reported meanwhile


def test_an_arm_whose_model_is_not_here_is_left_out_unless_it_is_named(
    tmp_path: Path, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALM_MODELS", str(tmp_path / "models"))
    plan.write_text(PLAN.replace("judge: rules", "judge: 'local:smollm2-135m'"))
    screen = StringIO()
    console = Console(file=screen, width=200)
    run_study(load(plan), Order(seeds=1), tmp_path / "out", console=console)
    assert "Left out is the arm rules: smollm2-135m is not on this machine" in screen.getvalue()
    assert set(read_results(tmp_path / "out" / "results")) == {FIRST}
    with pytest.raises(CalmError, match="calm models pull"):
        run_study(load(plan), Order(seeds=1, arms=["rules"]), tmp_path / "out")


def test_an_arm_whose_package_is_not_here_is_told_before_any_cell_begins(
    tmp_path: Path, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.bonus.make.OF_RND", ("no_such_package",))
    plan.write_text(PLAN.replace("judge: rules", "bonus: rnd"))
    screen = StringIO()
    console = Console(file=screen, width=200)
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="the bonus rnd needs no_such_package"):
        run_study(load(plan), Order(seeds=1, arms=["fair", "rules"]), out)
    assert not (out / "cells").exists()
    run_study(load(plan), Order(seeds=1), out, console=console)
    assert "Left out is the arm rules: the bonus rnd needs" in screen.getvalue()
    assert set(read_results(out / "results")) == {FIRST}

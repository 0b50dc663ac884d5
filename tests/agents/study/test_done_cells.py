"""Finished cells count where they were trained as planned, and none that others wrote is lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.study.done_cells import DoneCells
from agents.study.order import Order
from agents.study.plan import Cell
from agents.study.plans.load import load_plan
from agents.study.results import read_results, write_results
from calm.errors import UsageError
from tests.support import study_cells


def test_settings_for_one_task_leave_the_cells_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(study_cells.PLAN.replace("arms:", "  KeyRoom-S15: {}\narms:"))
    plan = load_plan("two", path)
    write_results(tmp_path / "results", study_cells.study(plan))
    changed = {"gamma": 0.9}
    of_s15 = DoneCells(plan, Order(tasks=["KeyRoom-S15"], overrides=changed), tmp_path / "results")
    assert len(of_s15.results) == 9
    with pytest.raises(UsageError, match=r"fair/seed0 \(gamma: 0.99, now 0.9\).* and 4 more"):
        DoneCells(plan, Order(overrides=changed), tmp_path / "results")
    left_out = DoneCells(plan, Order(overrides=changed, replace=True), tmp_path / "results")
    assert left_out.results == {}


def test_what_was_no_setting_yet_had_its_default(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    first = study_cells.study(plan)[0]
    older = {name: value for name, value in first.config.items() if name != "stall"}
    write_results(tmp_path / "results", [replace(first, config=older)])
    assert len(DoneCells(plan, Order(), tmp_path / "results").results) == 1
    with pytest.raises(UsageError, match=r"fair/seed0 \(stall: 0, now 100\)"):
        DoneCells(plan, Order(overrides={"stall": 100}), tmp_path / "results")


def test_what_others_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    first, second, third, *_ = study_cells.study(plan)
    mine, theirs = (DoneCells(plan, Order(shared=True), tmp_path / "results") for _ in range(2))
    assert not mine.write()  # nothing is new
    theirs.add({first.cell: first})
    assert theirs.write()
    mine.add({second.cell: second, third.cell: third})
    assert mine.write()
    assert set(mine.results) == {Cell("KeyRoom-S5", "fair", seed) for seed in range(3)}
    assert set(read_results(tmp_path / "results")) == set(mine.results)
    assert not mine.write()
    assert theirs.write() is False
    assert len(theirs.results) == 3

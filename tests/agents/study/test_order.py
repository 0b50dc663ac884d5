"""An order names cells of its plan, with their settings, and none that changes nothing."""

from pathlib import Path

import pytest

from agents.study.order import Order
from calm.errors import UsageError
from tests.support import study_cells


def test_cells_have_the_orders_seeds_and_settings(tmp_path: Path) -> None:
    order = Order(seeds=2, first_seed=7, arms=["rules"], overrides={"gamma": 0.9})
    configs = order.configs(study_cells.plan(tmp_path))
    assert [str(cell) for cell in configs] == [
        "KeyRoom-S5/rules/seed7",
        "KeyRoom-S5/rules/seed8",
    ]
    assert [(c.seed, c.gamma, c.weight) for c in configs.values()] == [(7, 0.9, 0.5), (8, 0.9, 0.5)]


def test_a_setting_that_changes_nothing_in_any_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError,
        match="bonus_weight would change nothing in any of these runs: it weighs a bonus",
    ):
        Order(overrides={"bonus_weight": 0.5}).configs(study_cells.plan(tmp_path))

"""Says what part of a study to run, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.study.plan import Cell, Plan
from agents.training.settings.config import TrainConfig
from agents.training.settings.idle import refuse_idle


@dataclass(frozen=True)
class Order:
    """What part of a study to run, and how."""

    seeds: int = 5
    """Of each task and arm."""
    first_seed: int = 0
    """The seeds count up from it."""
    tasks: Sequence[str] = ()
    """Empty for all."""
    arms: Sequence[str] = ()
    """Empty for all but those whose judge is a local model that is not here."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Settings of all cells, instead of the plan's."""
    retries: int = 0
    """How often in a row a cell may be lost, as with its machine, without a later checkpoint."""
    shared: bool = False
    """Whether other processes train cells in the same folder, see `agents.cluster.worker`."""
    train: bool = True
    """False writes the report of the finished cells alone."""
    replace: bool = False
    """Leave out finished cells that were trained with other settings than the plan's."""

    def configs(self, plan: Plan) -> dict[Cell, TrainConfig]:
        """Returns the cells of a plan that are ordered, in the plan's order, with their settings.

        Raises:
            UsageError: the plan lacks a task or an arm that is named, or a setting changes nothing
                in any cell.
        """
        cells = plan.cells(self.seeds, self.tasks, self.arms, self.first_seed)
        configs = {cell: plan.config(cell, self.overrides) for cell in cells}
        refuse_idle(self.overrides, list(configs.values()))
        return configs

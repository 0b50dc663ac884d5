"""Holds a study's plan: which tasks, arms and seeds, and the settings of each cell.

`agents.study.plans.load` reads one from the YAML file that people write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from agents.training.settings.config import TrainConfig, make_config
from calm.errors import unknown


class Cell(NamedTuple):
    """One run of a study."""

    task: str
    """As the plan names it, such as KeyRoom-S5."""
    arm: str
    """As the plan names it."""
    seed: int

    def __str__(self) -> str:
        return f"{self.task}/{self.arm}/seed{self.seed}"


@dataclass(frozen=True)
class ArmPlan:
    """One arm: its settings, and how tables and figures name it."""

    label: str
    """In tables and legends."""
    reward: str
    """The reward that it is trained on, in words."""
    settings: Mapping[str, Any]
    """Fields of `TrainConfig`."""
    not_on: Sequence[str] = ()
    """Tasks that it is not trained on."""


@dataclass(frozen=True)
class Plan:
    """A study: tasks × arms × seeds."""

    name: str
    """The plan's file without its ending."""
    title: str
    """Of the report."""
    common: Mapping[str, Any]
    """Settings of all cells."""
    tasks: Mapping[str, Mapping[str, Any]]
    """Settings by task. A `task` among them is its id or the file that describes it."""
    arms: Mapping[str, ArmPlan]
    """By name."""
    compare: Sequence[tuple[str, str]]
    """Pairs of arms: does the first do better than the second?"""
    figures: Mapping[str, Sequence[str]]
    """Arms drawn together, by the question they answer."""
    by_seconds: bool = False
    """Whether arms are compared at equal time too."""

    def cells(
        self,
        seeds: int,
        tasks: Sequence[str] | None = None,
        arms: Sequence[str] | None = None,
        first_seed: int = 0,
    ) -> list[Cell]:
        """Returns the cells in order of work: seed by seed, so that a part of it has all arms.

        Args:
            seeds: how many.
            tasks: a choice of them; None for all.
            arms: likewise.
            first_seed: the seeds count up from it.

        Raises:
            UsageError: a task or an arm that the plan does not have.
        """
        for kind, chosen, known in (("task", tasks, self.tasks), ("arm", arms, self.arms)):
            for name in chosen or ():
                if name not in known:
                    raise unknown(f"{kind} of the study {self.name}", name, known)
        return [
            Cell(task, arm, seed)
            for seed in range(first_seed, first_seed + seeds)
            for task in self.tasks
            if not tasks or task in tasks
            for arm, planned in self.arms.items()
            if (not arms or arm in arms) and task not in planned.not_on
        ]

    def config(self, cell: Cell, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
        """Returns the settings of a cell; `overrides` win over the plan's.

        Raises:
            UsageError: a setting that there is none of, or out of range.
        """
        arm = self.arms[cell.arm]
        values = {
            **self.common,
            **self.tasks[cell.task],
            **arm.settings,
            **(overrides or {}),
            "task": self.tasks[cell.task].get("task", cell.task),
            "seed": cell.seed,
        }
        config = make_config(values, f"the settings of {cell}")
        if config.judge != "none" and config.shaping == "potential":
            # All subgoals together then pay what they do one by one in the other modes.
            whole = round(config.weight * len(config.described.subgoals), 6)
            config = config.model_copy(update={"weight": whole})
        return config

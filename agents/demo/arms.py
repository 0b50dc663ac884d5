"""The four agents of a demo: what each is trained on, and the training of those not yet done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from agents.report.tables import Arm
from agents.training.parallel import LocalProcesses
from agents.training.progress import train_with_progress
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig, make_config
from agents.training.settings.families import family_of


@dataclass(frozen=True)
class DemoPlan:
    """What a demo is asked to do."""

    judge: str = "rules"
    steps: int = 300_000
    """For each agent."""
    episodes: int = 20
    """Collected from each player."""
    seed: int = 0
    task: str = "MiniHack-KeyRoom-S5-v0"
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the agents, where they differ from the demo's; see `agents.training.settings.config`."""
    form: str = ""
    """In which a model is asked, see `calm.asking.form`; "" for the judge's own."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Of a model's answers, see `calm.judges.thresholds`."""

    def asking(self) -> dict[str, Any]:
        """Returns form and thresholds where they are named, as options of the judge."""
        return {
            name: value
            for name, value in (("form", self.form), ("thresholds", dict(self.thresholds)))
            if value
        }

    def arms(self, subgoals: str) -> list[tuple[str, str, TrainConfig]]:
        """Returns the name, the reward in words, and settings of the four agents.

        The first two differ by the penalty alone. The third is the rival that needs no judge: it is
        paid for what is new in its episode. The last has the judge: its credit, and it observes
        which subgoals it was told to have achieved. All have the settings of the task's family.
        """
        values: dict[str, Any] = {
            "task": self.task,
            "judge": "none",
            "steps": self.steps,
            "seed": self.seed,
            "eval_every": max(1, self.steps // 12),
        }
        values |= dict(self.settings)
        values = family_of(make_config(values).task).settings | values
        common, novelty = make_config(values), make_config(values | {"bonus": "novelty"})
        shaped = {"judge": self.judge, "subgoals": subgoals} | self.asking()
        return [
            (
                "unshaped, MiniHack's reward",
                "1 for the stairs, -0.01 for every step in which no game time passes",
                common.model_copy(update={"penalty": True}),
            ),
            (
                "unshaped, no idle penalty",
                "1 for the stairs",
                common,
            ),
            (
                "paid for novelty",
                f"1 for the stairs, {novelty.bonus_weight} for each event that is new in its"
                " episode; nobody judges it",
                novelty,
            ),
            (
                f"shaped by {self.judge}",
                f"1 for the stairs, {common.weight} for each subgoal judged achieved, once an"
                " episode",
                common.model_copy(update=shaped),
            ),
        ]


def run_folder(out: Path, label: str) -> Path:
    """Returns the folder of an agent's run in the demo's folder."""
    return out / "agents" / re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def train_arms(
    plan: DemoPlan, subgoals: str, out: Path, base_url: str | None, console: Console
) -> list[Arm]:
    """Trains the four agents side by side and returns them; one that is done is left alone.

    Args:
        plan: of the demo.
        subgoals: `given`, or the file of those that the judge named.
        out: the demo's folder; each agent is a run in OUT/agents/NAME.
        base_url: the endpoint of an `openai:` judge.
        console: where progress is shown.
    """
    arms, waiting = [], []
    for label, reward, config in plan.arms(subgoals):
        folder = run_folder(out, label)
        exists = (folder / "config.yaml").exists()
        run = Run.open(folder) if exists else Run.create(folder, config)
        arms.append(Arm(label, [run], reward))
        metrics = run.metrics()
        if not metrics or metrics[-1]["steps"] < config.steps:
            waiting.append(arms[-1])
    if waiting:
        train_with_progress(
            [arm.runs[0] for arm in waiting],
            LocalProcesses(out / "store.sqlite", base_url, at_once=len(waiting)),
            console=console,
            labels=[arm.label for arm in waiting],
        )
    return arms

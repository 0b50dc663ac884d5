"""Finds what a study's results show, as numbers: how well, how soon, which is better, who farms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from agents.report.tables import steps_to
from agents.study.plan import Plan
from agents.study.results import Result
from agents.study.seed_statistics import (
    Band,
    Comparison,
    Reached,
    Values,
    area,
    compare,
    iqm_band,
    iqm_estimate,
    reached,
    success_estimate,
)
from data.scoring.metrics import Estimate
from envs.subgoals import APPROACHES

RATE = 0.9
"""The success rate whose first measurement is reported."""


@dataclass(frozen=True)
class Farming:
    """How often an arm achieves a subgoal again, in an episode of the last evaluation.

    Means over seeds. Going about makes repeats too, so an arm farms where it has more of them, for
    the steps it makes, than the arms that nothing pays for them.
    """

    length: float
    """Steps of an episode."""
    approaches: float | None
    """Repeats of subgoals of getting somewhere, by the truth; None where it is not known."""
    deeds: float | None
    """Repeats of all other subgoals, by the truth; None likewise."""
    per_hundred: Estimate | None
    """All of these per 100 steps, IQM over seeds; None likewise."""
    judged: float | None
    """Repeats by the judge; None without one."""
    false: float | None
    """Achievements by the judge's answer that the truth denies; None without a judge."""
    credit: float | None
    """Credit paid, times its weight at the end of training."""
    for_repeats: float | None
    """The part of it that was paid for repeats; only `every` pays any."""
    by_subgoal: Mapping[str, float]
    """Repeats by the truth, of the subgoals of which it is known."""
    by_truth: bool
    """Whether the truth of all subgoals is known."""


@dataclass(frozen=True)
class ArmFindings:
    """One arm on one task."""

    task: str
    arm: str
    results: Sequence[Result]
    """One a seed."""
    steps: Values
    """(T,) of the evaluations."""
    curves: Values
    """(S, T) success."""
    finals: Values
    """(S,) success at the last evaluation."""
    areas: Values
    """(S,) mean success over the budget."""
    episodes: int
    """Held-out levels of one evaluation."""
    reached: Reached
    farming: Farming | None

    @property
    def band(self) -> Band:
        """Success over training: the IQM over seeds with its interval, (T,)."""
        return iqm_band(self.curves)

    @property
    def final(self) -> Estimate:
        """Success at the end: the IQM over seeds with its interval."""
        return success_estimate(self.finals, self.episodes)

    @property
    def area(self) -> Estimate:
        """Mean success over the budget: the IQM over seeds with its interval."""
        return iqm_estimate([self.areas])

    @property
    def seeds(self) -> int:
        """S, the number of seeds."""
        return len(self.results)

    @property
    def never_met(self) -> list[str]:
        """Names of the subgoals that its judge confirmed in no episode of any evaluation."""
        counted = [
            times
            for result in self.results
            for row in result.rows
            for times in row.get("subgoals") or ()
            if times["source"] == "judge"
        ]
        names = dict.fromkeys(times["subgoal"] for times in counted)
        confirmed = {times["subgoal"] for times in counted if times["share"] > 0}
        return [name for name in names if name not in confirmed]


class Pair(NamedTuple):
    """Two arms compared, on one task or on several together."""

    first: str
    second: str
    task: str | None
    """The task; None for several together."""
    over: Sequence[str]
    """The tasks; of several, those that have both arms."""
    by_area: Comparison
    """On the mean success over the budget: which learns sooner and better."""
    by_final: Comparison
    """On the success at the end."""


@dataclass(frozen=True)
class Findings:
    """All that a study shows so far."""

    arms: Mapping[tuple[str, str], ArmFindings]
    """By task and arm, in the plan's order."""
    pairs: Sequence[Pair]
    """The planned comparisons of arms that both have results."""

    @property
    def tasks(self) -> list[str]:
        """The tasks with results, in the plan's order."""
        return list(dict.fromkeys(task for task, _ in self.arms))

    def of(self, task: str) -> list[ArmFindings]:
        """Returns the arms of a task."""
        return [arm for (name, _), arm in self.arms.items() if name == task]

    def whole(self, arm: str) -> Estimate | None:
        """Returns the IQM of an arm's final success over all tasks.

        None if it lacks a task, or has more seeds on one than on another: a task that all agents
        finish would then count for more where it has more of the seeds.
        """
        on_tasks = [self.arms[t, arm] for t in self.tasks if (t, arm) in self.arms]
        if len(on_tasks) < len(self.tasks) or len({one.seeds for one in on_tasks}) > 1:
            return None
        return iqm_estimate([one.finals for one in on_tasks])

    def pair(self, first: str, second: str, task: str | None) -> Pair | None:
        """Returns the comparison of two arms on a task; None if it was not planned."""
        pairs = (p for p in self.pairs if (p.first, p.second, p.task) == (first, second, task))
        return next(pairs, None)


def find(plan: Plan, results: Sequence[Result]) -> Findings:
    """Summarises the results of a plan's cells: each arm on each task, and each planned pair."""
    by_arm: dict[tuple[str, str], list[Result]] = {}
    for result in sorted(results, key=lambda r: r.cell.seed):
        by_arm.setdefault((result.cell.task, result.cell.arm), []).append(result)
    arms = {
        (task, arm): _arm(task, arm, by_arm[task, arm])
        for task in plan.tasks
        for arm in plan.arms
        if (task, arm) in by_arm
    }
    return Findings(arms, planned_pairs(plan, arms))


class Scored(Protocol):
    """An arm on a task, with what it is compared by."""

    @property
    def areas(self) -> Values:
        """(S,) mean success of each seed on the way."""

    @property
    def finals(self) -> Values:
        """(S,) success of each seed at the end."""


def planned_pairs(plan: Plan, arms: Mapping[tuple[str, str], Scored]) -> list[Pair]:
    """Returns the plan's comparisons of arms that both have results, by task and over all tasks.

    Args:
        plan: of the study.
        arms: by task and arm.
    """
    pairs = []
    for first, second in plan.compare:
        both = [t for t in plan.tasks if (t, first) in arms and (t, second) in arms]
        groups = [(t, [t]) for t in both] + ([(None, both)] if len(both) > 1 else [])
        for name, tasks in groups:
            sides = [(arms[t, first], arms[t, second]) for t in tasks]
            pairs.append(
                Pair(
                    first,
                    second,
                    name,
                    tasks,
                    compare([(a.areas, b.areas) for a, b in sides]),
                    compare([(a.finals, b.finals) for a, b in sides]),
                )
            )
    return pairs


def _arm(task: str, arm: str, results: list[Result]) -> ArmFindings:
    """Returns the findings of one arm on one task, from its results by seed."""
    # A resumed run may have been evaluated at other steps; all are read at those of the first.
    steps = np.array([row["steps"] for row in results[0].rows], float)
    curves = np.array(
        [
            np.interp(steps, [row["steps"] for row in r.rows], [row["success"] for row in r.rows])
            for r in results
        ]
    )
    budget = int(results[0].config["steps"])
    return ArmFindings(
        task,
        arm,
        results,
        steps,
        curves,
        np.array([r.rows[-1]["success"] for r in results]),
        np.array(
            [area([w["steps"] for w in r.rows], [w["success"] for w in r.rows]) for r in results]
        ),
        int(results[0].rows[-1]["episodes"]),
        reached([steps_to(r.rows, RATE) for r in results], budget),
        _farming(results),
    )


def _farming(results: Sequence[Result]) -> Farming | None:
    """Returns how often an arm repeats subgoals; None where the task has none."""
    last = [r.rows[-1] for r in results]
    if not all(row.get("subgoals") for row in last):
        return None
    true = [{s["subgoal"]: s for s in row["subgoals"] if s["source"] == "truth"} for row in last]
    judge = [[s for s in row["subgoals"] if s["source"] == "judge"] for row in last]
    known = all(true)
    names = list(true[0]) if known else []
    by_subgoal = {n: float(np.mean([seed[n]["repeats"] for seed in true])) for n in names}
    length = [row["test_length"] for row in last]
    rates = [
        100 * sum(s["repeats"] for s in seed.values()) / steps
        for seed, steps in zip(true, length, strict=True)
    ]
    judged = false = credit = for_repeats = None
    if all(judge):
        config = results[0].config
        weight, every = config["weight"], config["shaping"] == "every"
        if config.get("weight_end") is not None:
            weight = config["weight_end"]
        judged = float(np.mean([sum(s["repeats"] for s in seed) for seed in judge]))
        wrong = [[s["false"] for s in seed if s["false"] is not None] for seed in judge]
        false = float(np.mean([sum(seed) for seed in wrong])) if all(wrong) else None
        credit = weight * float(np.mean([row["test_credit"] for row in last]))
        for_repeats = weight * judged if every else 0.0
    return Farming(
        length=float(np.mean(length)),
        approaches=sum(v for n, v in by_subgoal.items() if n in APPROACHES) if known else None,
        deeds=sum(v for n, v in by_subgoal.items() if n not in APPROACHES) if known else None,
        per_hundred=iqm_estimate([np.array(rates)]) if known else None,
        judged=judged,
        false=false,
        credit=credit,
        for_repeats=for_repeats,
        by_subgoal=by_subgoal,
        by_truth=known and all(s["subgoal"] in by_subgoal for seed in judge for s in seed),
    )

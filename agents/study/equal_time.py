"""Compares a study's arms at equal time: after as many seconds of training, whatever the steps.

An arm whose network costs more makes fewer steps in the same time, which a comparison by steps does
not show. The time of a task is that in which its quickest cell made all of its steps, so that every
cell has been trained for so long. It counts collecting and updates, not evaluations, and is the
processor's time of the cell's process, which other work on the machine lengthens too, but less than
the wall clock's (in the study of encoders by up to a fifth for the same work); of a task with a
cell that was trained before that was recorded, it is the wall clock's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from agents.report.tables import Table
from agents.study.findings import RATE, Findings, Pair, planned_pairs
from agents.study.plan import Plan
from agents.study.seed_statistics import (
    Reached,
    Values,
    area,
    iqm_estimate,
    reached,
    success_estimate,
)
from agents.study.tables import fmt_reached, fmt_share, fmt_steps
from agents.training.run.folder import Row

NOTE = (
    "Success after as many seconds of training rather than steps: of a task, those in which its"
    " quickest cell made all of its steps, without evaluations; between evaluations it is"
    " interpolated. They are the processor's, in which waiting for a model does not count, or the"
    " wall clock's where the table says so, and compare only where all cells were trained on one"
    " kind of machine."
)


class TimedArm(NamedTuple):
    """One arm on one task after the task's time."""

    task: str
    arm: str
    seconds: float
    """The task's time."""
    machines: int
    """Kinds of machine that the task's cells were trained on; of more than one no time compares."""
    clock: str
    """The column of a cell's rows that it is read from: "cpu_seconds" or "seconds"."""
    steps: Values
    """(S,) steps that each seed had made by then."""
    finals: Values
    """(S,) success of each seed by then, in [0, 1]."""
    areas: Values
    """(S,) mean success of each seed over the time."""
    episodes: int
    """Held-out levels of one evaluation."""
    reached: Reached
    """Seconds to the first evaluation with success of `RATE`."""


class EqualTime(NamedTuple):
    """What a study shows at equal time."""

    arms: Mapping[tuple[str, str], TimedArm]
    """By task and arm, in the plan's order."""
    pairs: Sequence[Pair]
    """The planned comparisons, over the time and at its end."""


def at_equal_time(plan: Plan, findings: Findings) -> EqualTime:
    """Returns the arms and the planned comparisons of a study's findings at equal time."""
    arms = {}
    for task in findings.tasks:
        results = [result for one in findings.of(task) for result in one.results]
        machines = len({result.provenance["machine"] for result in results})
        trained = {one.arm: [r.rows for r in one.results] for one in findings.of(task)}
        rows = [row for seeds in trained.values() for seed in seeds for row in seed]
        without = any(row.get("cpu_seconds") is None for row in rows)
        clock = "seconds" if without else "cpu_seconds"
        seconds = min(seed[-1][clock] for seeds in trained.values() for seed in seeds)
        for one in findings.of(task):
            key = (task, one.arm)
            arms[key] = _timed(key, trained[one.arm], seconds, machines, clock, one.episodes)
    return EqualTime(arms, planned_pairs(plan, arms))


def _timed(
    key: tuple[str, str],
    seeds: Sequence[Sequence[Row]],
    seconds: float,
    machines: int,
    clock: str,
    episodes: int,
) -> TimedArm:
    """Returns an arm after so many seconds of a clock, from the evaluations of its seeds."""

    def by_then(name: str) -> Values:
        return np.array(
            [np.interp(seconds, _column(rows, clock), _column(rows, name)) for rows in seeds]
        )

    areas = []
    for rows in seeds:
        at, success = _column(rows, clock), _column(rows, "success")
        times = np.array([0.0, *at[(at > 0) & (at < seconds)], seconds])
        areas.append(area(times, np.interp(times, at, success)))
    soonest = [
        next((row[clock] for row in rows if row["success"] >= RATE), np.inf) for rows in seeds
    ]
    when = [at if at <= seconds else None for at in soonest]
    return TimedArm(
        *key,
        seconds,
        machines,
        clock,
        by_then("steps"),
        by_then("success"),
        np.array(areas),
        episodes,
        reached(when, seconds),
    )


def _column(rows: Sequence[Row], name: str) -> Values:
    """Returns one number of each evaluation, (T,)."""
    return np.array([row[name] for row in rows], float)


def equal_time_table(plan: Plan, timed: EqualTime) -> Table:
    """Returns success after a task's time, a row an arm of a task."""
    rows = [
        (
            one.task,
            plan.arms[one.arm].label,
            len(one.finals),
            _time_of(one),
            fmt_steps(float(one.steps.mean())),
            fmt_share(success_estimate(one.finals, one.episodes)),
            fmt_share(iqm_estimate([one.areas])),
            fmt_reached(one.reached, fmt_seconds),
            " ".join(f"{100 * f:.0f}" for f in one.finals),
        )
        for one in timed.arms.values()
    ]
    return Table(
        (
            "task",
            "agent",
            "seeds",
            "time",
            "steps in it",
            "success after it",
            "mean success over it",
            "90 % at",
            "each seed after it, %",
        ),
        rows,
    )


def _time_of(one: TimedArm) -> str:
    """Returns a task's time in words, and what limits how far it compares: its clock, machines."""
    time = fmt_seconds(one.seconds)
    if one.clock == "seconds":
        time += " by the wall clock"
    return f"{time}, on {one.machines} kinds of machine" if one.machines > 1 else time


def fmt_seconds(seconds: float) -> str:
    """Formats a time: 95 s, 12 min or 3.4 h."""
    if seconds >= 7200:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 600 else f"{seconds:.0f} s"

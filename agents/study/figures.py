"""Draws the study's figures as SVG: learning curves, success at the end, repeats over training.

An arm has one colour and one kind of line in all of them, from a palette that colour-blind readers
can tell apart (Okabe and Ito 2008) and that prints in grey.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from agents.report.svg import to_svg
from agents.study.findings import ArmFindings, Findings
from agents.study.plan import Plan
from agents.study.seed_statistics import Band, Values, iqm_band

STYLES: Sequence[tuple[str, Any]] = (
    ("#8a8a8a", (0, (1, 1))),
    ("#111111", "solid"),
    ("#8a8a8a", (0, (4, 1, 1, 1, 1, 1))),
    ("#0072b2", "solid"),
    ("#d55e00", "solid"),
    ("#009e73", (0, (5, 1.5))),
    ("#cc79a7", (0, (5, 1.5))),
    ("#e69f00", (0, (3, 1, 1, 1))),
    ("#56b4e9", (0, (3, 1, 1, 1))),
    ("#332288", "solid"),
    ("#882255", (0, (1, 1))),
    ("#999933", "solid"),
    ("#44aa99", (0, (1, 1))),
    ("#661100", "solid"),
    ("#aa4499", (0, (5, 1, 1, 1))),
    ("#b8a53a", (0, (5, 1.5))),
    ("#0072b2", (0, (1, 1))),
    ("#d55e00", (0, (5, 1, 1, 1))),
    ("#111111", (0, (3, 1.5))),
    ("#009e73", "solid"),
)
"""Colour and line of the plan's arms, in its order; as many as the largest plan that draws all."""

NARROW = 4.2
"""Inches; on a telephone of 390 pixels its letters keep about nine tenths of their size."""


def style(plan: Plan, arm: str) -> tuple[str, Any]:
    """Returns colour and line of an arm."""
    return STYLES[list(plan.arms).index(arm) % len(STYLES)]


def draw_curves(
    plan: Plan, findings: Findings, groups: Mapping[str, Sequence[str]], narrow: bool = False
) -> str:
    """Returns an SVG of success on held-out levels: IQM over seeds with its interval.

    Args:
        plan: of the study.
        findings: of its results.
        groups: arms by title; a row of panels for each.
        narrow: put all panels below each other, for a telephone.
    """
    return _panels(
        plan,
        findings,
        groups,
        lambda arm: arm.band,
        "success, unseen levels",
        (-0.02, 1.02),
        narrow,
    )


def draw_repeats(
    plan: Plan, findings: Findings, groups: Mapping[str, Sequence[str]], narrow: bool = False
) -> str:
    """Returns an SVG of repeated subgoals per 100 steps of the evaluations, by the truth.

    Arguments as `draw_curves`.
    """

    def band(arm: ArmFindings) -> Band | None:
        if any(row["repeats"] is None for r in arm.results for row in r.rows):
            return None  # the task has no subgoals whose truth is known
        rates = [
            np.interp(
                arm.steps,
                [row["steps"] for row in r.rows],
                [100 * row["repeats"] / row["test_length"] for row in r.rows],
            )
            for r in arm.results
        ]
        return iqm_band(np.array(rates))

    return _panels(plan, findings, groups, band, "repeats per 100 steps", None, narrow)


def _panels(
    plan: Plan,
    findings: Findings,
    groups: Mapping[str, Sequence[str]],
    band: Callable[[ArmFindings], Band | None],
    what: str,
    limits: tuple[float, float] | None,
    narrow: bool,
) -> str:
    """Returns an SVG of panels, groups of arms down and tasks across, with a curve an arm.

    Args:
        plan, findings, groups, narrow: as `draw_curves`.
        band: returns an arm's curve; None where it has none.
        what: the name of the vertical axis.
        limits: of that axis; None for matplotlib's.
    """
    tasks = findings.tasks
    legends = [
        sum(1 + _words(text).count("\n") for text in (title, *(plan.arms[a].label for a in arms)))
        for title, arms in groups.items()
    ]
    """Lines of each."""
    if narrow:
        size = (NARROW, 2.3 * len(groups) * len(tasks) + 0.2 * sum(legends))
        figure = Figure(figsize=size, layout="constrained")
        column = figure.subplots(len(groups) * len(tasks), 1, squeeze=False)
        grid = column.reshape(len(groups), len(tasks))
    else:
        heights = [max(2.35, 0.17 * (lines + 2)) for lines in legends]
        figure = Figure(figsize=(2.5 * len(tasks) + 2.2, sum(heights)), layout="constrained")
        grid = figure.subplots(
            len(groups), len(tasks), squeeze=False, sharey="row", sharex="col",
            height_ratios=heights,
        )  # fmt: skip
    for r, (title, arms) in enumerate(groups.items()):
        drawn: dict[str, Any] = {}
        for c, task in enumerate(tasks):
            axes = grid[r, c]
            for arm in arms:
                if (task, arm) in findings.arms:
                    one = findings.arms[task, arm]
                    if (curve := band(one)) is not None:
                        drawn[arm] = _line(axes, style(plan, arm), one.steps, curve)
            _dress(axes)
            if limits:
                axes.set_ylim(*limits)
            if narrow or r == 0:
                axes.set_title(_words(task, 28), fontsize=9)
            if narrow or r == len(groups) - 1:
                axes.set_xlabel("environment steps", fontsize=8)
            if narrow or c == 0:
                axes.set_ylabel(what, fontsize=8)
        lines = {plan.arms[arm].label: drawn[arm] for arm in arms if arm in drawn}
        _legend(grid[r, -1], title, lines, narrow)
    return to_svg(figure, "calm-narrow" if narrow else "calm")


def _words(text: str, width: int = 40) -> str:
    """Returns a text for a figure: in short lines, a dollar sign being one, and no formula."""
    return fill(text, width).replace("$", r"\$")


def _legend(last: Axes, title: str, lines: Mapping[str, Any], narrow: bool) -> None:
    """Adds the legend of a group of arms, lines by label: beside its last panel, or below it."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (0.0, -0.3)} if narrow else {
        "loc": "center left", "bbox_to_anchor": (1.03, 0.5)
    }  # fmt: skip
    legend = last.legend(
        list(lines.values()), ["label"] * len(lines), title=_words(title), alignment="left",
        frameon=False, fontsize=7.5, title_fontsize=8, handlelength=2.6, **place,
    )  # fmt: skip
    for text, label in zip(legend.get_texts(), lines, strict=True):
        text.set_text(_words(label))  # matplotlib would leave out one that begins with _


def _line(axes: Axes, style: tuple[str, Any], steps: Values, curve: Band) -> Any:
    """Draws an arm's curve with its interval and returns the line."""
    colour, dashes = style
    (line,) = axes.plot(steps, curve.value, color=colour, linestyle=dashes, linewidth=1.5)
    axes.fill_between(steps, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0)
    return line


def draw_finals(plan: Plan, findings: Findings, narrow: bool = False) -> str:
    """Returns an SVG of success at the end: seeds as dots, the IQM a bar, its interval a line.

    Arguments as `draw_curves`.
    """
    tasks = findings.tasks
    arms = [a for a in plan.arms if any((t, a) in findings.arms for t in tasks)]
    height = 0.27 * len(arms) + 0.8
    if narrow:
        figure = Figure(figsize=(NARROW, height * len(tasks)), layout="constrained")
        row = figure.subplots(len(tasks), 1, squeeze=False)[:, 0]
    else:
        figure = Figure(figsize=(2.0 * len(tasks) + 2.2, height), layout="constrained")
        row = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    for axes, task in zip(row, tasks, strict=True):
        for y, arm in enumerate(arms):
            if (task, arm) not in findings.arms:
                continue
            one = findings.arms[task, arm]
            colour, _ = style(plan, arm)
            value, low, high = one.final
            axes.plot([low, high], [y, y], color=colour, linewidth=3, alpha=0.35)
            axes.plot(one.finals, [y] * one.seeds, "o", color=colour, markersize=3, alpha=0.6)
            axes.plot([value], [y], "|", color=colour, markersize=11, markeredgewidth=2)
        _dress(axes, steps=False)
        axes.set_xlim(-0.03, 1.03)
        axes.set_title(_words(task, 24), fontsize=9)
        axes.set_yticks(range(len(arms)), [_words(plan.arms[a].label) for a in arms], fontsize=8)
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.0f} %"))
    return to_svg(figure, "calm-narrow" if narrow else "calm")


def _dress(axes: Axes, steps: bool = True) -> None:
    """Sets grid, frame and ticks of a panel; with `steps` across."""
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7.5)
    if steps:
        axes.xaxis.set_major_formatter(FuncFormatter(_count))
        axes.locator_params(axis="x", nbins=5)


def _count(steps: float, _: object = None) -> str:
    """Formats steps on an axis: 300k, 1.5M."""
    if abs(steps) >= 1_000_000:
        return f"{steps / 1_000_000:g}M"
    return f"{steps / 1000:g}k" if steps else "0"

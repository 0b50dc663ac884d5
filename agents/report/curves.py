"""Draws learning curves as SVG: success on held-out levels, subgoals there, what training earns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agents.report.svg import to_svg
from agents.training.run.folder import Row

matplotlib.use("Agg")

COLOURS = ("#0b6e99", "#d9730d", "#448361", "#9065b0", "#c14c8a", "#787774", "#cb912f")
WIDTH = 6.0
"""Inches; small enough to be read on a telephone."""
BY_JUDGE = " (by the judge)"
"""Follows the name of a subgoal whose truth the engine does not tell."""
_EARNINGS = (
    ("reward of the environment", "return_env"),
    ("credit, before its weight", "return_credit"),
    ("bonus, before its weight", "return_bonus"),
)


@dataclass(frozen=True)
class Curve:
    """One arm's metrics, one list of rows a seed."""

    label: str
    """The arm's name in the legend."""
    seeds: Sequence[Sequence[Row]]
    resumed: Sequence[int] = ()
    """Steps at which a run of this arm was interrupted and resumed."""


@dataclass(frozen=True)
class Panel:
    """One of several charts above one another."""

    title: str
    value: Callable[[Row], float | None]
    """From the row of an evaluation to what is drawn; None leaves it out."""


def draw_success(curves: Sequence[Curve]) -> str:
    """Returns an SVG of success of each seed with its 95 % Wilson band; dots mark resumptions."""
    figure = Figure(figsize=(WIDTH, 3.4 + 0.26 * len(curves)), layout="constrained")
    axes = figure.add_subplot()
    for curve, colour in zip(curves, COLOURS * len(curves), strict=False):
        for rows in curve.seeds:
            steps = [r["steps"] / 1000 for r in rows]
            low, high = ([r[k] for r in rows] for k in ("success_low", "success_high"))
            axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    _draw(axes, curves, lambda row: row["success"])
    axes.set_ylabel("success on held-out levels", fontsize=11)
    axes.set_ylim(-0.02, 1.02)
    return _finished(figure, curves, "calm")


def draw_panels(curves: Sequence[Curve], panels: Sequence[Panel], salt: str, share: bool) -> str:
    """Returns an SVG of several charts above one another, each seed a line in its arm's colour.

    Args:
        panels: at least one.
        salt: see `to_svg`.
        share: whether values are shares in [0, 1].
    """
    height = 0.6 + (1.75 if len(panels) <= 3 else 1.3) * len(panels) + 0.26 * len(curves)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    column = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(column, panels, strict=True):
        _draw(axes, curves, panel.value)
        axes.set_title(panel.title, fontsize=11, loc="left")
        axes.set_xlabel("")
        if share:
            axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("environment steps (thousands)", fontsize=11)
    return _finished(figure, curves, salt)


def subgoal_panels(curves: Sequence[Curve]) -> list[Panel]:
    """Returns a panel a subgoal: the share of held-out episodes that achieved it at all.

    By the engine's truth; where that is not known, by the judge.
    """
    sources: dict[str, set[str]] = {}
    for curve in curves:
        for rows in curve.seeds:
            for row in rows:
                for one in row.get("subgoals") or ():
                    sources.setdefault(one["subgoal"], set()).add(one["source"])

    def share(name: str, source: str) -> Callable[[Row], float | None]:
        return lambda row: next(
            (
                one["share"]
                for one in row.get("subgoals") or ()
                if one["subgoal"] == name and one["source"] == source
            ),
            None,
        )

    return [
        Panel(name, share(name, "truth"))
        if "truth" in known
        else Panel(f"{name}{BY_JUDGE}", share(name, "judge"))
        for name, known in sources.items()
    ]


def earnings_panels(curves: Sequence[Curve]) -> list[Panel]:
    """Returns a panel each for reward, credit and bonus of training's episodes; none for what all
    earn nothing of."""

    def value(key: str) -> Callable[[Row], float | None]:
        return lambda row: row.get(key)

    rows = [row for curve in curves for seed in curve.seeds for row in seed]
    return [
        Panel(title, value(key))
        for title, key in _EARNINGS
        if any(row.get(key) is not None for row in rows)
        and (key == "return_env" or any(row.get(key) for row in rows))
    ]


def _draw(axes: Axes, curves: Sequence[Curve], value: Callable[[Row], float | None]) -> None:
    """Draws a line a seed, and where runs were resumed."""
    for curve, colour in zip(curves, COLOURS * len(curves), strict=False):
        for i, rows in enumerate(curve.seeds):
            points = [(row["steps"] / 1000, y) for row in rows if (y := value(row)) is not None]
            label = curve.label if i == 0 else None
            xs, ys = [x for x, _ in points], [y for _, y in points]
            axes.plot(xs, ys, color=colour, label=label, marker=".")
        for step in curve.resumed:
            axes.axvline(step / 1000, color=colour, linestyle=":", linewidth=1)
    axes.set_xlabel("environment steps (thousands)", fontsize=11)
    axes.tick_params(labelsize=10.5)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _finished(figure: Figure, curves: Sequence[Curve], salt: str) -> str:
    """Returns the SVG of a figure with its legend."""
    if curves:
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, frameon=False, loc="outside lower left", fontsize=11)
    return to_svg(figure, salt)

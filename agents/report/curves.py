"""Draws learning curves as one SVG: success on held-out levels against environment steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure

from agents.report.svg import to_svg
from agents.training.run_folder import Row

matplotlib.use("Agg")

COLOURS = ("#0b6e99", "#d9730d", "#448361", "#9065b0", "#c14c8a", "#787774", "#cb912f")


@dataclass(frozen=True)
class Curve:
    """One arm's metrics, one list of rows a seed."""

    label: str
    """The arm's name in the legend."""
    seeds: Sequence[Sequence[Row]]
    resumed: Sequence[int] = ()
    """Steps at which a run of this arm was interrupted and resumed."""


def draw_success(curves: Sequence[Curve]) -> str:
    """Returns an SVG of success of each seed with its 95 % Wilson band; dots mark resumptions.

    Small enough to be read on a telephone.
    """
    figure = Figure(figsize=(6.0, 3.4 + 0.26 * len(curves)), layout="constrained")
    axes = figure.add_subplot()
    for curve, colour in zip(curves, COLOURS * len(curves), strict=False):
        for i, rows in enumerate(curve.seeds):
            steps = [r["steps"] / 1000 for r in rows]
            label = curve.label if i == 0 else None
            axes.plot(steps, [r["success"] for r in rows], color=colour, label=label, marker=".")
            low, high = ([r[k] for r in rows] for k in ("success_low", "success_high"))
            axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
        for step in curve.resumed:
            axes.axvline(step / 1000, color=colour, linestyle=":", linewidth=1)
    axes.set_xlabel("environment steps (thousands)", fontsize=11)
    axes.set_ylabel("success on held-out levels", fontsize=11)
    axes.tick_params(labelsize=10.5)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if curves:
        figure.legend(frameon=False, loc="outside lower left", fontsize=11)
    return to_svg(figure)

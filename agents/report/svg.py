"""Turns figures into SVG that follows the reader's light or dark scheme and needs no fonts."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

import matplotlib
from matplotlib.figure import Figure

DARK: Mapping[str, str] = {
    "#000000": "#e8e8e4",  # text and axes
    "#ffffff": "#191918",  # the ground
    "#111111": "#f4f4f0",
    "#0b6e99": "#4aa8d8",
    "#d9730d": "#f08a33",
    "#448361": "#66b88c",
    "#9065b0": "#b48ad6",
    "#c14c8a": "#e07bb0",
    "#787774": "#a3a39d",
    "#8a8a8a": "#9d9d9a",
    "#0072b2": "#3d8fd1",
    "#d55e00": "#f0762b",
    "#332288": "#8f82e6",
    "#882255": "#d4648f",
    "#661100": "#cc7d63",
    "#aa4499": "#d684c6",
}
"""What a colour of ours becomes on a dark ground; others stay, being light enough."""

_COLOUR = re.compile("|".join(DARK))


def to_svg(figure: Figure, salt: str = "calm") -> str:
    """Returns a figure as an SVG element of class `chart`, alone or inside a page.

    Letters are paths, so that it looks the same everywhere. The same numbers give the same text.

    Args:
        figure: of matplotlib.
        salt: makes the ids inside differ from those of another figure of the same page.
    """
    drawn = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt, "svg.fonttype": "path"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    svg = drawn.getvalue()
    return themed(svg[svg.index("<svg") :])


def themed(svg: str) -> str:
    """Returns the same element with colours that follow the reader's scheme."""
    used = sorted({"#000000", *_COLOUR.findall(svg)})
    svg = _COLOUR.sub(lambda m: f"var(--chart-{m[0][1:]}, {m[0]})", svg)
    return svg.replace("<svg ", '<svg class="chart" ', 1).replace("<defs>", _scheme(used), 1)


def _scheme(colours: list[str]) -> str:
    """Returns the style element that sets the colours' values, light or dark; letters are black."""
    light = " ".join(f"--chart-{c[1:]}: {c};" for c in colours)
    dark = " ".join(f"--chart-{c[1:]}: {DARK[c]};" for c in colours)
    return (
        "<style>"
        f".chart {{ {light} fill: var(--chart-000000, #000000); }}"
        f" @media screen and (prefers-color-scheme: dark) {{ .chart {{ {dark} }} }}"
        "</style><defs>"
    )

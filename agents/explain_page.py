"""Drawings of where an agent looks: PNGs, and one HTML file that holds them all."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy.typing as npt
from matplotlib.figure import Figure

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Where the agent looks</title>
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
         color: #1f1f1d; background: #fff; }
  figure { display: inline-block; margin: .4rem; } img { max-width: 100%; }
</style></head><body><h1>Where the agent looks</h1>
{% for line in lines %}<p>{{ line }}</p>
{% endfor %}
<p>Brighter cells count for more, from 0 to 1 over the known cells of each drawing; the hero is in
the middle. The first drawing is the mean over all observations, relative to the hero.</p>
{% for name, data in images %}<figure><img alt="{{ name }}" src="data:image/png;base64,{{ data }}">
</figure>{% endfor %}
</body></html>
"""


def draw_situation(
    path: Path, chars: npt.NDArray[Any] | None, importance: npt.NDArray[Any], title: str
) -> Path:
    """One crop (h, w): importance in [0, 1] as colour, the game's characters on top."""
    figure = Figure(figsize=(2.6, 2.8), dpi=80, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(importance, cmap="viridis", vmin=0, vmax=1)
    if chars is not None:
        for (row, column), code in ((at, chars[at]) for at in _cells(chars)):
            colour = "black" if importance[row, column] > 0.6 else "white"
            axes.text(
                column, row, chr(code), color=colour, ha="center", va="center", family="monospace",
                parse_math=False,
            )  # fmt: skip
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    figure.savefig(path, metadata={"Software": None})
    return path


def draw_time(path: Path, gates: npt.NDArray[Any]) -> Path:
    """The mean gate of each step of a window, oldest first."""
    figure = Figure(figsize=(2.6, 2.8), dpi=80, layout="constrained")
    axes = figure.add_subplot()
    axes.bar([str(i + 1 - len(gates)) for i in range(len(gates))], gates, color="#0b6e99")
    axes.set_ylim(0, 1)
    axes.set_title("mean gate by step", fontsize=9)
    figure.savefig(path, metadata={"Software": None})
    return path


def write_page(path: Path, lines: Sequence[str], images: Sequence[Path]) -> None:
    """One HTML file with the summary and every drawing inside."""
    held = [(p.stem, base64.b64encode(p.read_bytes()).decode("ascii")) for p in images]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    path.write_text(environment.from_string(PAGE).render(lines=lines, images=held), "utf-8")


def _cells(chars: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Cells that show something."""
    height, width = chars.shape
    return [(r, c) for r in range(height) for c in range(width) if chars[r, c] > ord(" ")]

"""Draws where an agent looks: PNGs, one HTML file that holds them all, and a part of the report.

All lie in the folder `explain` of a run, with their texts.
"""

from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.figure import Figure

from agents.inspection.by_stage import Stage
from agents.training.run.folder import readable
from calm.files import write_file

FOLDER = "explain"
"""In a run's folder."""
SUMMARY = "summary.json"
"""In that folder: the texts and the names of the drawings."""
HOW = (
    "Brighter cells count for more, from 0 to 1 over the known cells of each drawing; the hero is"
    " in the middle. The first drawing of each kind is the mean over all observations, relative to"
    " the hero."
)
TEMPLATE = Path(__file__).parent / "templates" / "explain.html.j2"
INK = "#7d7d7a"
"""Of titles and axes: as plain on white as on the page's dark ground."""


def draw_situation(
    path: Path, chars: npt.NDArray[Any] | None, importance: npt.NDArray[Any], title: str
) -> Path:
    """Draws a crop (h, w) as PNG: importance in [0, 1] as colour, the game's characters on top."""
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
    axes.set_title(title, fontsize=9, color=INK)
    axes.set_xticks([])
    axes.set_yticks([])
    _write(path, figure)
    return path


def draw_time(path: Path, gates: npt.NDArray[Any]) -> Path:
    """Draws the mean gate of each step of a window as PNG, oldest first."""
    figure = Figure(figsize=(2.6, 2.8), dpi=80, layout="constrained")
    axes = figure.add_subplot()
    axes.bar([str(i + 1 - len(gates)) for i in range(len(gates))], gates, color="#0b6e99")
    axes.set_ylim(0, 1)
    axes.set_title("mean gate by step", fontsize=9, color=INK)
    axes.tick_params(colors=INK)
    for spine in axes.spines.values():
        spine.set_color(INK)
    _write(path, figure)
    return path


def draw_stages(path: Path, stages: Sequence[Stage], title: str) -> Path:
    """Draws the importance of each kind of cell at each stage as PNG: a row for each stage.

    In a cell of the table: importance in [0, 1], and its interval.
    """
    kinds = list(dict.fromkeys(kind for stage in stages for kind in stage.importance))
    told = [[stage.importance.get(kind) for kind in kinds] for stage in stages]
    values = np.array([[np.nan if one is None else one.value for one in row] for row in told])
    size = 3.6 + 0.8 * len(kinds), 0.9 + 0.42 * len(stages)
    figure = Figure(figsize=size, dpi=80, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(values, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(~np.isnan(values)):
        one = told[row][column]
        assert one is not None
        text = f"{one.value:.2f}\n[{one.low:.2f}, {one.high:.2f}]"
        colour = "black" if one.value > 0.6 else "white"
        axes.text(column, row, text, color=colour, ha="center", va="center", fontsize=6.5)
    axes.set_xticks(range(len(kinds)), kinds, fontsize=8, color=INK)
    names = [textwrap.shorten(stage.furthest, 80, placeholder="…") for stage in stages]
    lines = [textwrap.fill(name, 42) for name in names]
    axes.set_yticks(range(len(stages)), lines, fontsize=8, color=INK)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=9, color=INK)
    _write(path, figure)
    return path


def _write(path: Path, figure: Figure) -> None:
    """Writes a figure as PNG without a ground of its own: pages are light or dark."""
    write_file(
        path, lambda file: figure.savefig(file, transparent=True, metadata={"Software": None})
    )


def clear(folder: Path) -> Path:
    """Makes or empties the folder of drawings in a run's folder, and returns it.

    The summary is removed first, so that an interruption leaves none that names missing drawings.
    """
    out = folder / FOLDER
    out.mkdir(exist_ok=True)
    (out / SUMMARY).unlink(missing_ok=True)
    for old in out.glob("*.png"):
        old.unlink()
    return out


def write_page(folder: Path, lines: Sequence[str], images: Sequence[Path]) -> Path:
    """Writes one HTML file into a run's folder with the summary and every drawing inside.

    The summary that `drawn` reads is written beside the drawings.
    """
    about = {"lines": list(lines), "images": [path.name for path in images]}
    write_file(folder / FOLDER / SUMMARY, json.dumps(about, indent=1))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(TEMPLATE.read_text("utf-8"))
    path = folder / "explain.html"
    write_file(path, page.render(lines=lines, images=_inlined(images), how=HOW))
    return path


def drawn(folder: Path) -> tuple[list[str], Markup] | None:
    """Returns the texts and drawings of a run's folder for its report; None where there are none.

    Raises:
        UsageError: they can't be read.
    """
    summary = folder / FOLDER / SUMMARY
    if not summary.exists():
        return None
    with readable(summary):
        about = json.loads(summary.read_text("utf-8"))
        lines = [str(line) for line in about["lines"]]
        images = _inlined([folder / FOLDER / Path(name).name for name in about["images"]])
    elements = [
        Markup('<img alt="{}" src="data:image/png;base64,{}">').format(name, data)
        for name, data in images
    ]
    return [*lines, HOW], Markup(" ").join(elements)


def _inlined(images: Sequence[Path]) -> list[tuple[str, str]]:
    """Returns the name and the content in base64 of each image."""
    return [(p.stem, base64.b64encode(p.read_bytes()).decode("ascii")) for p in images]


def _cells(chars: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Returns the cells (row, column) that show something."""
    height, width = chars.shape
    return [(r, c) for r in range(height) for c in range(width) if chars[r, c] > ord(" ")]

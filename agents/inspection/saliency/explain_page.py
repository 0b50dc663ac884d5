"""Draws where an agent looks: PNGs, one HTML file that holds them all, and a part of the report.

All lie in the folder `explain` of a run, with their texts.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.figure import Figure

from calm.errors import UsageError
from calm.files import write_file, write_folder

FOLDER = "explain"
"""In a run's folder."""
SUMMARY = "summary.json"
"""In that folder: the texts, the tables and the names of the drawings."""
PAGE = "explain.html"
"""In a run's folder."""
HOW = (
    "Brighter cells count for more, from 0 to 1 over the known cells of each drawing. The first"
    " drawing of each kind is the mean over all observations: of crops relative to the hero, who is"
    " in the middle, of whole levels cell by cell, as far as any was seen."
)
CELL = 0.17
"""Inches of a drawn cell."""
TEMPLATE = Path(__file__).parent / "templates" / "explain.html.j2"
INK = "#7d7d7a"
"""Of titles and axes: as plain on white as on the page's dark ground."""


class PageTable(NamedTuple):
    """A table of the page."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    """Cells of each row, as many as columns."""


class Drawn(NamedTuple):
    """What `calm explain` has drawn of a run, for its report."""

    lines: list[str]
    images: Markup
    tables: list[PageTable]


def image(chars: npt.NDArray[Any] | None, importance: npt.NDArray[Any], title: str) -> bytes:
    """Returns a map (h, w) as PNG: importance in [0, 1] as colour, the game's characters on it."""
    height, width = (CELL * size for size in importance.shape)
    figure = Figure(figsize=(max(2.6, width), max(2.8, height + 0.2)), dpi=80, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(importance, cmap="viridis", vmin=0, vmax=1)
    if chars is not None:
        for (row, column), code in ((at, chars[at]) for at in _cells(chars)):
            colour = "black" if importance[row, column] > 0.5 else "white"
            axes.text(
                column, row, chr(code), color=colour, ha="center", va="center", family="monospace",
                parse_math=False,
            )  # fmt: skip
    axes.set_title(title, fontsize=9, color=INK)
    axes.set_xticks([])
    axes.set_yticks([])
    return _png(figure)


def time_image(gates: npt.NDArray[Any]) -> bytes:
    """Returns the mean gate of each step of a window as PNG, oldest first."""
    figure = Figure(figsize=(2.6, 2.8), dpi=80, layout="constrained")
    axes = figure.add_subplot()
    axes.bar([str(i + 1 - len(gates)) for i in range(len(gates))], gates, color="#0b6e99")
    axes.set_ylim(0, 1)
    axes.set_title("mean gate by step", fontsize=9, color=INK)
    axes.tick_params(colors=INK)
    for spine in axes.spines.values():
        spine.set_color(INK)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    """Returns a figure as PNG without a ground of its own: pages are light or dark."""
    file = io.BytesIO()
    figure.savefig(file, transparent=True, metadata={"Software": None})
    return file.getvalue()


def write_page(
    folder: Path, lines: Sequence[str], images: Mapping[str, bytes], tables: Sequence[PageTable]
) -> Path:
    """Writes the drawings into a run's folder, and one HTML file that holds all; returns its path.

    What was drawn there before stays until all is drawn anew; files are then replaced one after the
    other, the summary last, and those that are no more are removed.

    Args:
        folder: of the run.
        lines: the texts, a paragraph each.
        images: PNGs by name.
        tables: shown between both.
    """
    files = {f"{name}.png": content for name, content in images.items()}
    about = {
        "lines": list(lines),
        "images": list(files),
        "tables": [table._asdict() for table in tables],
    }

    def fill(out: Path) -> None:
        for name, content in files.items():
            (out / name).write_bytes(content)
        (out / SUMMARY).write_text(json.dumps(about, indent=1), "utf-8")

    write_folder(folder / FOLDER, fill)
    for old in (folder / FOLDER).glob("*.png"):
        if old.name not in files:
            old.unlink()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(TEMPLATE.read_text("utf-8"))
    inlined = [(name, _base64(content)) for name, content in images.items()]
    path = folder / PAGE
    write_file(path, page.render(lines=lines, images=inlined, tables=tables, how=HOW))
    return path


def drawn(folder: Path) -> Drawn | None:
    """Returns what was drawn of a run's folder for its report; None where nothing was.

    Raises:
        UsageError: it can't be read.
    """
    summary = folder / FOLDER / SUMMARY
    if not summary.exists():
        return None
    try:
        about = json.loads(summary.read_text("utf-8"))
        lines = [str(line) for line in about["lines"]]
        tables = [
            PageTable(str(table["title"]), list(table["columns"]), list(table["rows"]))
            for table in about.get("tables", ())
        ]
        images = [
            (Path(name).stem, _base64((summary.parent / Path(name).name).read_bytes()))
            for name in about["images"]
        ]
    except Exception as error:  # a damaged file fails in many ways
        raise UsageError(
            f"the drawings in {summary.parent} can't be read ({type(error).__name__}: {error});"
            f" draw them anew: calm explain {folder}"
        ) from None
    elements = [
        Markup('<img alt="{}" src="data:image/png;base64,{}">').format(name, data)
        for name, data in images
    ]
    return Drawn([*lines, HOW], Markup(" ").join(elements), tables)


def _base64(content: bytes) -> str:
    """Returns bytes as an address in a page holds them."""
    return base64.b64encode(content).decode("ascii")


def _cells(chars: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Returns the cells (row, column) that show something."""
    height, width = chars.shape
    return [(r, c) for r in range(height) for c in range(width) if chars[r, c] > ord(" ")]

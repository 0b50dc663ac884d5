"""A transition as the game showed it, cut to what there is to see, changed cells marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from calm.records import LabelledTransition, Screen

HERE = Path(__file__).parent
"""Where the template `screen.html` lies, with the macro `screen(name, view)`, and its styles."""

MAP_ROWS = slice(1, 22)
"""Rows of the terminal that hold the map; row 0 is the message, the last two the status."""


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring cells of a line that look alike."""

    text: str
    colour: str
    """The terminal's colour, one hex digit."""
    changed: bool


@dataclass(frozen=True, slots=True)
class ScreenView:
    """One screen, ready to be written into a page."""

    message: str
    lines: list[list[Span]]
    status: list[str]


def screen_views(row: LabelledTransition) -> tuple[ScreenView, ScreenView] | None:
    """Returns the screens before and after, cut to the same window; None where there are none."""
    if row.before is None or row.after is None:
        return None
    before, after = _Grid(row.before), _Grid(row.after)
    window = _window(before, after)
    return before.view(after, window), after.view(before, window)


def screen_html(row: LabelledTransition) -> Markup:
    """Returns both screens of a transition side by side, its action between; "" without screens.

    The page that holds it needs the styles of `screen_style`.
    """
    views = screen_views(row)
    if views is None:
        return Markup("")
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined
    )
    module = environment.get_template("screen.html").make_module()
    return Markup(module.screens(*views, row.transition.action))  # type: ignore[attr-defined]


def screen_style() -> str:
    """Returns the style sheet of a screen: the game's own colours in either scheme."""
    return (HERE / "screen.css").read_text("utf-8")


class _Grid:
    """A frame as rows of (character, colour)."""

    def __init__(self, frame: Screen) -> None:
        self.chars = [_plain(line) for line in frame.chars.split("\n")]
        self.colours = frame.colours.split("\n")

    def cell(self, y: int, x: int) -> tuple[str, str]:
        """Returns the character and colour of a cell; a blank where the frame has none."""
        if y < len(self.chars) and x < len(self.chars[y]):
            colours = self.colours[y] if y < len(self.colours) else ""
            char = self.chars[y][x]
            # A blank looks the same in every colour.
            colour = colours[x] if x < len(colours) and char != " " else "7"
            return char, colour if colour in "0123456789abcdef" else "7"
        return " ", "7"

    def view(self, other: _Grid, window: tuple[range, range]) -> ScreenView:
        """Returns what a window (rows, columns) shows, with the cells marked that `other` has
        otherwise."""
        ys, xs = window
        lines = [list(self._spans(other, y, xs)) for y in ys]
        status = [" ".join(s.split()) for s in self.chars[MAP_ROWS.stop :] if s.strip()]
        return ScreenView(self.chars[0].strip(), lines, status)

    def _spans(self, other: _Grid, y: int, xs: range) -> Iterator[Span]:
        cells = [(*self.cell(y, x), self.cell(y, x) != other.cell(y, x)) for x in xs]
        for (colour, changed), run in groupby(cells, key=lambda cell: cell[1:]):
            yield Span("".join(char for char, *_ in run), colour, changed)


def _window(*grids: _Grid) -> tuple[range, range]:
    """Returns the smallest rows and columns of the map that hold every cell that is not blank."""
    filled = [
        (y, x)
        for grid in grids
        for y in range(MAP_ROWS.start, min(MAP_ROWS.stop, len(grid.chars)))
        for x, char in enumerate(grid.chars[y])
        if char != " "
    ]
    if not filled:
        return range(0), range(0)
    ys, xs = zip(*filled, strict=True)
    return range(min(ys), max(ys) + 1), range(min(xs), max(xs) + 1)


def _plain(line: str) -> str:
    """Returns a line with blanks for control characters, so that every cell keeps its place."""
    return "".join(c if c.isprintable() else " " for c in line)

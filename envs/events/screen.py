"""Writes the `screen` and `crop` descriptions: the maps before and after, and the action between.

A `Frame` is what a player sees at one moment. `screen` shows both whole maps, cut to the part where
anything is; `crop` the 9x9 cells around the hero. Both put messages, changes of the inventory and
the end of the episode into words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from envs.events.words import PRINTABLE, clean, named
from envs.game.glyphs import CARRIED, CARRIED_OF_GLYPH, NO_GLYPH

Array = npt.NDArray[Any]

KEYS = ("chars", "blstats", "message", "inv_glyphs", "inv_letters", "inv_strs")
"""Observation keys that a frame is made of."""

RADIUS = 4
"""Cells that a crop shows to each side of the hero: 9x9, as MiniHack's own crops."""

BLANK = "(nothing is shown)"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a player sees at one moment."""

    map: tuple[str, ...]
    """21 lines of 79 characters."""
    hero: tuple[int, int]
    """Line and column of the hero."""
    message: str
    """The game's message, "" for none."""
    inventory: tuple[tuple[str, str], ...]
    """Of every object its kind in `CARRIED`, and its letter and name: "a - a key"."""


def frame(row: Mapping[str, Array]) -> Frame:
    """Returns a frame from one environment's arrays, which may change afterwards.

    Args:
        row: by nle's key, without a batch axis; the keys in `KEYS`.
    """
    inventory = []
    for glyph, letter, text in zip(
        row["inv_glyphs"].tolist(),
        row["inv_letters"].tolist(),
        row["inv_strs"],
        strict=True,
    ):
        if glyph != NO_GLYPH:
            kind = CARRIED[CARRIED_OF_GLYPH[glyph]]
            inventory.append((kind, f"{chr(letter)} - {clean(text)}"))
    return Frame(
        map=tuple(_line(line) for line in row["chars"]),
        hero=(int(row["blstats"][1]), int(row["blstats"][0])),
        message=clean(row["message"]),
        inventory=tuple(inventory),
    )


def describe(
    mode: Literal["screen", "crop"], before: Frame, after: Frame, action: str, end: str = ""
) -> str:
    """Returns the text of one transition.

    Args:
        mode: whole maps or crops.
        before: s.
        after: s'.
        action: its English name, "move east".
        end: how the episode ended with this step, "" if it did not.
    """
    maps = _cut(before.map, after.map) if mode == "screen" else (_around(before), _around(after))
    parts = [
        f"Action: {action}.",
        f"Before:\n{_message_line(before)}\n{maps[0]}",
        f"After:\n{_message_line(after)}\n{maps[1]}",
        "\n".join(inventory_changes(before, after)),
    ]
    return "\n\n".join([*parts, end] if end else parts)


def inventory_changes(before: Frame, after: Frame) -> list[str]:
    """Returns a sentence for each kind that entered or left the inventory; one if none did."""
    had, has = Counter(before.inventory), Counter(after.inventory)
    kinds_had = Counter(kind for kind, _ in before.inventory)
    kinds_have = Counter(kind for kind, _ in after.inventory)
    lines = []
    for verb, fewer, more, objects in (
        ("entered", kinds_had, kinds_have, has - had),
        ("left", kinds_have, kinds_had, had - has),
    ):
        for kind in more - fewer:
            names = ", ".join(name for k, name in objects if k == kind)
            lines.append(f"{named(kind, first=True)} {verb} the inventory: {names}.")
    return lines or ["The inventory did not change."]


def _line(row: Array) -> str:
    """Returns a row of character codes as text, blank where not printable."""
    return row.astype(np.uint8).tobytes().translate(PRINTABLE).decode("ascii")


def _message_line(moment: Frame) -> str:
    """Returns the line that quotes the game's message."""
    return f'Message: "{moment.message}"' if moment.message else "No message."


def _cut(*maps: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the maps without the margins that are empty in all of them, so that they line up."""
    characters = np.array(maps).view("U1").reshape(len(maps), len(maps[0]), -1)
    filled = characters != " "
    rows, columns = np.flatnonzero(filled.any((0, 2))), np.flatnonzero(filled.any((0, 1)))
    if not rows.size:
        return tuple(BLANK for _ in maps)
    cut = []
    for lines, marks in zip(maps, filled, strict=True):
        block = [
            line[columns[0] : columns[-1] + 1].rstrip() for line in lines[rows[0] : rows[-1] + 1]
        ]
        cut.append("\n".join(block) if marks.any() else BLANK)
    return tuple(cut)


def _around(moment: Frame) -> str:
    """Returns the crop around the hero as lines of text, without blanks at their ends."""
    y, x = moment.hero
    margin = " " * RADIUS
    empty = " " * (len(moment.map[0]) + 2 * RADIUS)
    padded = [
        *[empty] * RADIUS,
        *(margin + line + margin for line in moment.map),
        *[empty] * RADIUS,
    ]
    block = [line[x : x + 2 * RADIUS + 1].rstrip() for line in padded[y : y + 2 * RADIUS + 1]]
    return "\n".join(block) if any(block) else BLANK

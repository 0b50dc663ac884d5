"""Maps drawn by hand, as a batch of one game shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from nle import nethack

from envs.truth.followers import Follower

CMAP = nethack.GLYPH_CMAP_OFF
HERO = nethack.GLYPH_MON_OFF + 327
SYMBOLS = {
    " ": CMAP,  # stone, or not seen
    "|": CMAP + 1,
    ".": CMAP + 19,
    "#": CMAP + 21,
    "W": CMAP + 41,
    "P": CMAP + 32,
    "L": CMAP + 34,
    "I": CMAP + 33,
    "0": nethack.GLYPH_OBJ_OFF + 447,
    "^": CMAP + 52,
    "m": nethack.GLYPH_MON_OFF + 12,
    "@": HERO,
}


class Drawn:
    """The arrays of games that show what is drawn; B games show the same."""

    def __init__(self, n: int = 1) -> None:
        self.arrays: dict[str, npt.NDArray[Any]] = {
            "glyphs": np.full((n, 21, 79), CMAP, np.int16),
            "blstats": np.zeros((n, nethack.NLE_BLSTATS_SIZE), np.int64),
            "message": np.zeros((n, 256), np.uint8),
            "inv_glyphs": np.full((n, 55), nethack.NO_GLYPH, np.int16),
            "internal": np.zeros((n, 9), np.int32),
        }

    def show(self, drawing: str, depth: int = 1) -> None:
        """Shows lines of symbols, parted by "/", from the third row and column on."""
        glyphs, blstats = self.arrays["glyphs"], self.arrays["blstats"]
        glyphs[:] = CMAP
        blstats[:, nethack.NLE_BL_HP] = 9
        blstats[:, nethack.NLE_BL_DEPTH] = depth
        for y, line in enumerate(drawing.split("/"), start=2):
            for x, symbol in enumerate(line, start=2):
                glyphs[:, y, x] = SYMBOLS[symbol]
                if symbol == "@":
                    blstats[:, :2] = (x, y)


def steps_done(follower: Follower, maps: Sequence[str], depths: Sequence[int] = ()) -> list[int]:
    """Numbers of the steps, from 1 on, in which the one hero of the maps does what is followed."""
    drawn = Drawn()
    glyphs, blstats = drawn.arrays["glyphs"], drawn.arrays["blstats"]
    drawn.show(maps[0])
    follower.begin(np.arange(1), glyphs, blstats)
    steps = []
    for step, drawing in enumerate(maps[1:], start=1):
        drawn.show(drawing, depths[step] if depths else 1)
        if follower.step(glyphs, blstats)[0]:
            steps.append(step)
    return steps


CROSSINGS: dict[str, tuple[list[str], list[int]]] = {
    # What happens: the maps one after the other, the first one's hero being at the start; and the
    # numbers of the steps, from 1 on, that cross.
    "filled and crossed": (
        [
            "..WW../.@WW../..WW..",
            "..WW../..@W../..WW..",
            "..WW../...@../..WW..",
            "..WW../....@./..WW..",
        ],
        [3],
    ),
    "and back": (
        [
            "||||/.@L./||||",
            "||||/..@./||||",
            "||||/...@/||||",
            "||||/..@./||||",
            "||||/.@../||||",
            "||||/@.../||||",
        ],
        [2, 4],
    ),
    "out on the same side, elsewhere": (
        [
            "..WW../.@WW../..WW..",
            "..WW../..@W../..WW..",
            "..WW../...W../..@W..",
            "..WW../...W../.@.W..",
        ],
        [],
    ),
    "around a boulder on the bank": (
        [
            ".WW./@WW./0WW./.WW.",
            ".WW./.@W./0WW./.WW.",
            ".WW./..W./0@W./.WW.",
            ".WW./..W./0.W./.@W.",
            ".WW./..W./0.W./@.W.",
        ],
        [],
    ),
    "floating": (
        ["@LLL.", ".@LL.", ".L@L.", ".LL@.", ".LLL@"],
        [4],
    ),
    "floating there and back": (
        ["@PP.", ".@P.", ".P@.", ".@P.", "@PP."],
        [],
    ),
    "over ice": (
        ["..P../.@P../..P..", "..P../.@I../..P..", "..P../..@../..P..", "..P../..I@./..P.."],
        [3],
    ),
    "corner to corner": (
        [".W./@W./.W.", ".W./.@./.W.", ".W@/.../.W."],
        [2],
    ),
    "crawling out on the far side": (
        ["..WW../.@WW../..WW..", "..WW../..@W../..WW..", "..WW../...W@./..WW.."],
        [2],
    ),
    "thrown from bank to bank": (
        ["@WW.", ".WW@"],
        [],
    ),
    "the far side comes into view in the end": (
        [".W/@W/.W", ".WW/.@W/.WW", ".WW./..@./.WW.", ".WW./...@/.WW."],
        [3],
    ),
    "ground that falls dark again": (
        [".W/@W/.W/.W", " W/ @/ W/ W", " W/ ./ @/ W", " W/ ./ ./ @", " W/ ./ ./@."],
        [],
    ),
    "a monster over the water": (
        ["..W./.@W./..W.", "..W./.@m./..W.", "..W./..@./..W.", "..W./...@/..W."],
        [3],
    ),
    "in a corridor": (
        ["#@LL##|", "##@L##|", "##.@##|", "##..@#|"],
        [3],
    ),
}

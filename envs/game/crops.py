"""Cuts out the part of a map around the hero, for a whole batch at once.

The hero's cell is at the centre. Cells beyond the map hold an id of their own: nle's NO_GLYPH for
glyphs (one past every real glyph) and 0 for chars, colors and specials, as in MiniHack. (MiniHack
pads glyphs with 0 too, which is the glyph of a giant ant.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from envs.game.glyphs import COLUMNS, NO_GLYPH, ROWS

PADDING = {"glyphs": NO_GLYPH, "chars": 0, "colors": 0, "specials": 0}
"""The id beyond the map, by the key that is cropped."""


class Crop:
    """Cuts (B, size, size) around each hero out of (B, 21, 79) maps.

    Args:
        key: which map, one of `PADDING`.
        n_envs: B.
        size: odd, at least 1.
        dtype: of the map and of the crop.
    """

    def __init__(self, key: str, n_envs: int, size: int, dtype: npt.DTypeLike) -> None:
        self.half = size // 2
        height, width = ROWS + 2 * self.half, COLUMNS + 2 * self.half
        self._padded = np.full((n_envs, height, width), PADDING[key], dtype)
        self._middle = self._padded[
            :, self.half : self.half + ROWS, self.half : self.half + COLUMNS
        ]
        self._flat = self._padded.reshape(-1)
        self._width = width
        around = np.arange(size)[:, None] * width + np.arange(size)[None, :]
        self._around = around + (np.arange(n_envs) * (height * width))[:, None, None]

    def __call__(
        self, maps: npt.NDArray[Any], blstats: npt.NDArray[np.int64], out: npt.NDArray[Any]
    ) -> None:
        """Writes the crops of all rows into `out`.

        Args:
            maps: (B, 21, 79).
            blstats: (B, 27) int64, whose first two columns are the hero's x and y.
            out: (B, size, size), C-contiguous.
        """
        self._middle[:] = maps
        corner = blstats[:, 1] * self._width + blstats[:, 0]
        np.take(self._flat, self._around + corner[:, None, None], out=out, mode="clip")

"""A player for the quests of the labelled set: it freezes lava and fights what is in its way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from nle import nethack

from envs.actions import SKILLS
from envs.players import Scripted
from envs.tasks import task

Array = npt.NDArray[Any]

_LAVA = nethack.GLYPH_CMAP_OFF + 34
_WAYS = {
    (-1, 0): "move north", (0, 1): "move east", (1, 0): "move south", (0, -1): "move west",
    (-1, 1): "move northeast", (1, 1): "move southeast",
    (1, -1): "move southwest", (-1, -1): "move northwest",
}  # fmt: skip
_KEYS = [int(a) for a in SKILLS]
"""Key of each action of the quests, by index."""

REACH = 7
"""Cells at which it begins to freeze; a ray of cold goes at least that far."""
TRIES = 6
"""Rays in one episode; a wand of cold holds four charges or more."""


class Quester(Scripted):
    """Explores as `Scripted` does, hits monsters beside it, and sends cold at lava ahead."""

    name = "quester"

    def begin(self, rng: np.random.Generator) -> None:
        super().begin(rng)
        self._tries = 0
        self._toward = "move east"

    def act(self, seen: Mapping[str, Array]) -> int:
        asked = bytes(seen["message"]).split(b"\0")[0].decode("latin-1")
        if seen["internal"][1] or seen["internal"][2]:
            return self._answer(asked)
        x, y = (int(v) for v in seen["blstats"][:2])
        for (dy, dx), way in _WAYS.items():
            if 0 <= y + dy < 21 and 0 <= x + dx < 79:
                glyph = int(seen["glyphs"][y + dy, x + dx])
                if nethack.glyph_is_normal_monster(glyph) and self._rng.random() < 0.9:
                    return self._actions.index(way)
        ahead = self._lava_ahead(seen["glyphs"], y, x)
        if ahead and self._tries < TRIES:
            self._toward = ahead
            self._tries += 1
            # The wand or the horn, in turn: one of the two makes cold, and which is not known.
            return self._actions.index("zap" if self._tries % 2 else "apply")
        return super().act(seen)

    def _answer(self, asked: str) -> int:
        if "In what direction" in asked:
            return self._actions.index(self._toward)
        if "[yn" in asked:  # "Improvise? [ynq]", "Really attack?": y is also the key for northwest
            return self._actions.index("move northwest")
        offered = re.search(r"What do you want to .*\[([a-zA-Z])", asked)
        if offered:
            letter = ord(offered[1])
            if letter in _KEYS:
                return _KEYS.index(letter)
        return self._actions.index("cancel")

    def _lava_ahead(self, glyphs: Array, y: int, x: int) -> str | None:
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            for n in range(1, REACH + 1):
                i, j = y + n * dy, x + n * dx
                if 0 <= i < 21 and 0 <= j < 79 and glyphs[i, j] == _LAVA:
                    return _WAYS[dy, dx]
        return None


def quester(task_id: str) -> Quester:
    """The player of one of the quests."""
    return Quester(task(task_id).id)

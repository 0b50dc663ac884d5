"""Gathers all that the game says in one step: nle's `message` holds what it said last.

A step may press several keys: it confirms each `--More--`, declines questions, and opens KeyRoom's
door with five. What was said between them is gone from the screen. envs/native/game.c does the same
in C.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

KEY = "messages"
"""The key of the array, beside nle's own."""
BYTES = 512
"""Its size; what does not fit is cut off, and a zero byte is last."""
TIME = 20
"""The column of `blstats` that counts the game's time."""


def key_of(arrays: Mapping[str, Array]) -> str:
    """Returns the key of what texts quote: all that is said in a step, where it is gathered."""
    return KEY if KEY in arrays else "message"


class Messages:
    """Writes what a game says in a step into a row of the array `messages`.

    Messages are in their order, with a blank between. Left out are one that repeats the last, a
    question that a key of the same step answers, and what was on the screen before the step, where
    no game time has passed: a key that does nothing leaves the old message there.

    Args:
        row: (BYTES,) uint8, where to.
        message: (256,) uint8, nle's.
        internal: nle's; [1] and [2] are set while the game asks for a character or a line.
        blstats: nle's; [20] counts the game's time.
    """

    def __init__(self, row: Array, message: Array, internal: Array, blstats: Array) -> None:
        self._row, self._message = row, message
        self._internal, self._blstats = internal.data, blstats.data
        self._end = 0
        self._last = self._before = b""
        self._time = 0

    def begin(self, episode: bool = False) -> None:
        """Forgets the last step; or all of the last episode, where another one begins."""
        self._row[:] = 0
        self._end, self._last = 0, b""
        self._before = b"" if episode else self._shown()
        self._time = self._blstats[TIME]

    def _shown(self) -> bytes:
        """Returns the message that nle shows."""
        return bytes(self._message.tobytes().split(b"\0", 1)[0])

    def hear(self, ends: bool = False) -> None:
        """Adds the message that a key has led to.

        Args:
            ends: the step ends here, so that no key of it answers a question.
        """
        if (self._internal[1] or self._internal[2]) and not ends:
            return
        message = self._shown()
        if not message or message == self._last:
            return
        if message == self._before and self._blstats[TIME] == self._time:
            return
        self._last = message
        text = (b" " if self._end else b"") + message
        text = text[: BYTES - 1 - self._end]
        self._row[self._end : self._end + len(text)] = np.frombuffer(text, np.uint8)
        self._end += len(text)

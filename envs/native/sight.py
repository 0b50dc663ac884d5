"""The frequent parts of `envs.sight` and `envs.events` in C: the same ids, ten times as fast."""

from __future__ import annotations

import ctypes
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from envs import sight, signature
from envs.events import EventStream
from envs.native.build import Built, built
from envs.things import (
    CARRIED_OF_GLYPH,
    GROUND,
    GROUND_OF_GLYPH,
    SOLID_OF_GLYPH,
    THING_OF_GLYPH,
    THINGS,
)

INVENTORY_CHANGED, STATUS_CHANGED, AGAIN, ASKS, UNKNOWN, NEWS = 1, 2, 4, 8, 16, 32
"""Flags of sight.c."""

_NUMBERS = {
    "kinds": len(THINGS),
    "width": signature.WIDTH,
    "n_status": len(sight._STATUS),
    "action_column": signature.ACTION,
    "seen_column": signature.SEEN,
    "ground_column": signature.GROUND_NOW,
    "message_column": signature.MESSAGE.start,
    "question_column": signature.QUESTION.start,
    "moved": signature.MOVED,
    "with_key_bit": signature.WITH_KEY,
    "opened": signature.OPENED,
    "pushed": signature.PUSHED,
    "water_filled": signature.WATER_FILLED,
    "lava_filled": signature.LAVA_FILLED,
    "asked_bit": signature.ASKED,
    "closed": sight._CLOSED,
    "boulder": sight._BOULDER,
    "monster": sight._MONSTER,
    "water": sight._WATER,
    "lava": sight._LAVA,
    "key": sight._KEY,
    "in_hand": signature.IN_HAND,
    "carried_key": sight._CARRIED_KEY,
    "room": GROUND["room"],
    "corridor": GROUND["corridor"],
}
_TABLES: dict[str, npt.NDArray[Any]] = {
    "thing_of": THING_OF_GLYPH,
    "ground_of": GROUND_OF_GLYPH,
    "passable": sight._PASSABLE,
    "solid": SOLID_OF_GLYPH,
    "level_of": signature.LEVEL_OF_DISTANCE,
    "change_of": signature.CHANGE_OF_LEVELS,
    "carried_of": CARRIED_OF_GLYPH,
}
_STATE = {
    "seen_glyphs": "_glyphs",
    "seen_carried": "_inventory",
    "things": "_things",
    "covered": "_covered",
    "levels": "_levels",
    "under": "_under",
    "ground": "_ground",
    "with_key": "_with_key",
    "asked": "_asked",
    "x": "_x",
    "y": "_y",
    "hero": "_hero",
    "status": "_status",
    "asked_hash": "_asked_hash",
}
"""Fields of the structure that are attributes of `Sight`, which C writes in place."""


class _Structure(ctypes.Structure):
    """`calm_sight` of sight.c, which says what the fields mean."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("n", *_NUMBERS)),
        *((name, ctypes.c_void_p) for name in (
            *_TABLES, "action_kinds", "multipliers", "status_columns",
            "glyphs", "carried", "blstats", "actions", "message", "internal",
            *_STATE, "signatures", "flags",
        )),
    ]  # fmt: skip


class NativeSight(sight.Sight):
    """See `envs.sight.Sight`.

    Args:
        batch: see there.
        action_kinds: see there.
        built: the compiled stepper.
    """

    def __init__(
        self, batch: sight.Arrays, action_kinds: npt.NDArray[np.uint8], built: Built
    ) -> None:
        super().__init__(batch, action_kinds)
        self._library = ctypes.CDLL(str(built.library))
        arrays = batch.arrays
        n = len(self.signatures)
        self._flags: npt.NDArray[np.uint8] = np.zeros(n, np.uint8)
        self._actions: npt.NDArray[np.int64] = np.zeros(n, np.int64)
        self._fixed = {name: np.ascontiguousarray(getattr(self, name)) for name in _STATE.values()}
        places: dict[str, npt.NDArray[Any]] = {
            **_TABLES,
            "action_kinds": action_kinds,
            "multipliers": sight._HASH,
            "status_columns": sight._STATUS.astype(np.int64),
            "glyphs": arrays["glyphs"],
            "carried": arrays["inv_glyphs"],
            "blstats": arrays["blstats"],
            "actions": self._actions,
            "message": arrays["message"],
            "internal": arrays["internal"],
            **{field: self._fixed[name] for field, name in _STATE.items()},
            "signatures": self.signatures,
            "flags": self._flags,
        }
        if not all(array.flags.c_contiguous for array in places.values()):
            raise ValueError("the arrays of a batch must be contiguous")
        self._places = places  # C keeps bare pointers
        self._structure = _Structure(n=n, **_NUMBERS)
        for name, array in places.items():
            setattr(self._structure, name, array.ctypes.data)
        self._pointer = ctypes.byref(self._structure)
        self._settle()

    def _settle(self) -> None:
        """Puts attributes that were replaced back to where C looks."""
        for name, array in self._fixed.items():
            now = getattr(self, name)
            if now is not array:
                array[:] = now
                setattr(self, name, array)

    def on_reset(self, rows: npt.NDArray[np.intp]) -> None:
        rows = np.ascontiguousarray(rows, np.int64)
        self._library.calm_forget(self._pointer, rows.ctypes.data_as(_POINTER), len(rows))
        if np.count_nonzero(self._asked):
            self._pending = self._places["message"].copy()

    def on_step(
        self,
        actions: npt.NDArray[np.int64],
        terminated: npt.NDArray[np.bool_],
        truncated: npt.NDArray[np.bool_],
    ) -> None:
        self._actions[:] = actions
        self._add(self._library.calm_see(self._pointer), terminated, truncated)

    def watch(
        self,
        actions: npt.NDArray[np.int64],
        terminated: npt.NDArray[np.bool_],
        truncated: npt.NDArray[np.bool_],
        table: Table,
        answers: Answers | None,
    ) -> int:
        """As `on_step`, and looks the signatures up: UNKNOWN if one of them has no number, NEWS
        unless `answers` has nothing new to say about any of them."""
        self._actions[:] = actions
        said = None if answers is None else answers.pointer
        flags: int = self._library.calm_watch(self._pointer, table.pointer, said)
        count = np.count_nonzero
        if not (flags & ~NEWS or count(terminated) or count(truncated)):  # most steps
            self.questions = self._pending
            return flags
        added = self._add(flags & ~(UNKNOWN | NEWS), terminated, truncated)
        if added or flags & ~(ASKS | UNKNOWN | NEWS):
            return NEWS | int(self._library.calm_number(table.pointer))
        return flags & (UNKNOWN | NEWS)

    def _add(
        self, flags: int, terminated: npt.NDArray[np.bool_], truncated: npt.NDArray[np.bool_]
    ) -> bool:
        """What is rare; whether an episode ended."""
        self.questions = self._pending
        if flags:
            self._again.clear()
            if flags & INVENTORY_CHANGED:
                self._changed_inventory()
                self._library.calm_see_again(self._pointer)
            if flags & STATUS_CHANGED:
                self._changed_status()
                self._settle()
            if flags & (AGAIN | INVENTORY_CHANGED):
                for row in np.flatnonzero(self._flags & (AGAIN | INVENTORY_CHANGED)).tolist():
                    self._say_once(row)
            if flags & ASKS:
                self._pending = self._places["message"].copy()
        if not (np.count_nonzero(terminated) or np.count_nonzero(truncated)):
            return False
        for row in np.flatnonzero(terminated | truncated).tolist():
            self._end(row, bool(terminated[row]))
        return True


class _AnswersStructure(ctypes.Structure):
    """`calm_answers` of sight.c."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("known", "subgoals")),
        *((name, ctypes.c_void_p) for name in ("said", "achieved")),
    ]  # fmt: skip


class Answers:
    """What a judge said of each number, and what its yes is no news of.

    Args:
        said: (N, G) int8, see `calm.annotator`.
        achieved: (B, G) float32, 1 where the episode has achieved the subgoal; read at every step.
    """

    def __init__(self, said: npt.NDArray[np.int8], achieved: npt.NDArray[np.float32]) -> None:
        self._kept = (np.ascontiguousarray(said), achieved)  # C keeps bare pointers
        if not achieved.flags.c_contiguous:
            raise ValueError("what is achieved must be contiguous")
        self._structure = _AnswersStructure(*said.shape, *(a.ctypes.data for a in self._kept))
        self.pointer = ctypes.byref(self._structure)


class _TableStructure(ctypes.Structure):
    """`calm_table` of sight.c."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("width", "size", "n")),
        *((name, ctypes.c_void_p) for name in ("keys", "numbers", "rows", "out")),
    ]  # fmt: skip


class Table:
    """Numbers of signatures.

    Args:
        library: the compiled stepper.
        rows: (B, width) the signatures to look up.
        out: (B,) where their numbers go.
        size: places, a power of two and more than twice what will be learnt.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        rows: npt.NDArray[np.uint8],
        out: npt.NDArray[np.int64],
        size: int,
    ) -> None:
        n, width = rows.shape
        self.size = size
        self._library = library
        keys: npt.NDArray[np.uint8] = np.zeros((size, width), np.uint8)
        numbers: npt.NDArray[np.int64] = np.zeros(size, np.int64)
        self._kept = (keys, numbers, rows, out)  # C keeps bare pointers
        self._structure = _TableStructure(width, size, n, *(a.ctypes.data for a in self._kept))
        self.pointer = ctypes.byref(self._structure)

    def learn(self, known: dict[bytes, int]) -> None:
        """Adds these signatures and their numbers."""
        keys = np.frombuffer(b"".join(known), np.uint8)
        numbers = np.array(list(known.values()), np.int64)
        self._library.calm_learn(
            self.pointer,
            keys.ctypes.data_as(_POINTER),
            ctypes.c_int64(len(numbers)),
            numbers.ctypes.data_as(_POINTER),
        )


class NativeEventStream(EventStream):
    """See `envs.events.EventStream`.

    Args:
        task_id, batch: see there.
        built: the compiled stepper.
    """

    def __init__(self, task_id: str, batch: sight.Arrays, built: Built) -> None:
        super().__init__(task_id, batch, sight=partial(NativeSight, built=built))
        self._library = ctypes.CDLL(str(built.library))
        self._rows = self._sight.signatures
        self._answers: Answers | None = None
        self._learn(4096)

    def heed(self, said: npt.NDArray[np.int8], achieved: npt.NDArray[np.float32]) -> None:
        self._answers = Answers(said, achieved)

    def on_step(
        self,
        actions: npt.NDArray[np.int64],
        terminated: npt.NDArray[np.bool_],
        truncated: npt.NDArray[np.bool_],
    ) -> None:
        assert isinstance(self._sight, NativeSight)
        flags = self._sight.watch(actions, terminated, truncated, self._table, self._answers)
        self.news = flags > 0
        if not flags & UNKNOWN:
            return
        for row in np.flatnonzero(self.ids < 0).tolist():
            self.ids[row] = self._put_into_words(row, self._rows[row].tobytes())
        size = self._table.size
        self._learn(size * (2 if 2 * len(self._by_signature) > size else 1))

    def _learn(self, size: int) -> None:
        """Puts all known signatures into a table of so many places; new ones come seldom."""
        self._table = Table(self._library, self._rows, self.ids, size)
        self._table.learn(self._by_signature)


_POINTER = ctypes.c_void_p


def best_event_stream(task_id: str, batch: sight.Arrays) -> EventStream:
    """The native stream of events where the stepper is compiled, else the plain one."""
    stepper = built()
    return (
        EventStream(task_id, batch)
        if stepper is None
        else NativeEventStream(task_id, batch, stepper)
    )

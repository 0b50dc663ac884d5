"""Packs the changes of a step into signatures in C, the same as `envs.events.sight` does.

Where a batch plays on the native path, its rows are looked at by the process that steps them, in
the very turn; elsewhere, after the step.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from envs.events import signature, tables
from envs.events.sight import Sight
from envs.game import messages
from envs.game.engine import Array
from envs.game.glyphs import (
    CARRIED_KEY,
    CARRIED_OF_GLYPH,
    CELLS,
    FOUNTAIN,
    GROUND,
    GROUND_OF_GLYPH,
    LIES_AS,
    PASSABLE_OF_GLYPH,
    PORTABLE,
    SOLID_OF_GLYPH,
    THING,
    THING_OF_GLYPH,
    THINGS,
)
from envs.native.build import Built
from envs.observer import Actions, Arrays, Bools, Rows

LINE = 64
"""Bytes of a cache line, at which every array begins."""

_NUMBERS = {
    "kinds": len(THINGS),
    "width": signature.WIDTH,
    "n_status": len(tables.STATUS_COLUMNS),
    "action_column": signature.ACTION,
    "seen_column": signature.FLAGS,
    "ground_column": signature.GROUND_NOW,
    "end_column": signature.END,
    "hp_column": signature.HP,
    "entered_column": signature.ENTERED.start,
    "left_column": signature.LEFT.start,
    "gained_column": signature.GAINED.start,
    "ended_column": signature.ENDED.start,
    "on_fountain_column": signature.ON_FOUNTAIN,
    "message_column": signature.MESSAGE.start,
    "question_column": signature.QUESTION.start,
    "moved": signature.MOVED,
    "with_key_bit": signature.WITH_KEY,
    "opened": signature.OPENED,
    "pushed": signature.PUSHED,
    "water_filled": signature.WATER_FILLED,
    "lava_filled": signature.LAVA_FILLED,
    "asked_bit": signature.ASKED,
    "crossed": signature.CROSSED,
    "closed": THING["closed door"],
    "open": THING["open door"],
    "boulder": THING["boulder"],
    "monster": THING["monster"],
    "water": THING["water"],
    "lava": THING["lava"],
    "key": THING["key"],
    "stairs": THING["staircase down"],
    "in_hand": tables.IN_HAND,
    "state": tables.STATE,
    "fountain_glyph": FOUNTAIN,
    "carried_key": CARRIED_KEY,
    "room": GROUND["room"],
    "corridor": GROUND["corridor"],
    "on_stairs": signature.ON_STAIRS,
    "died": signature.DIED,
    "out_of_time": signature.OUT_OF_TIME,
    "other_end": signature.OTHER_END,
}
_TABLES: dict[str, npt.NDArray[Any]] = {
    "thing_of": THING_OF_GLYPH,
    "ground_of": GROUND_OF_GLYPH,
    "passable": PASSABLE_OF_GLYPH,
    "solid": SOLID_OF_GLYPH,
    "level_of": tables.LEVEL_OF_DISTANCE,
    "change_of": tables.CHANGE_OF_LEVELS,
    "carried_of": CARRIED_OF_GLYPH,
    "portable": np.isin(THINGS, PORTABLE),
    "lies_as": np.array(LIES_AS, np.uint8),
    "fine": np.array([tables.is_fine(kind) for kind in THINGS]),
    "action_kinds": np.zeros(256, np.uint8),  # of the batch, by its actions
    "multipliers": tables.MESSAGE_MULTIPLIERS,
    "status_columns": tables.STATUS_COLUMNS,
}
_READ = ("glyphs", "inv_glyphs", "blstats", "actions", "message", "said", "internal", "how")
"""In the order of sight.h."""
_STEP: dict[str, tuple[type, tuple[int, ...]]] = {"actions": (np.int64, ()), "how": (np.int8, ())}
_REMEMBERED: dict[str, tuple[type, tuple[int, ...]]] = {
    "seen_glyphs": (np.int16, (CELLS,)),
    "seen_carried": (np.int16, (55,)),
    "things": (np.uint8, (CELLS,)),
    "covered": (np.uint8, (CELLS,)),
    "bed": (np.uint8, (CELLS,)),
    "asks": (np.uint8, (256,)),
    "status": (np.int64, (len(tables.STATUS_COLUMNS),)),
    "rows": (np.uint8, (2 * LINE,)),
    "signatures": (np.uint8, (signature.WIDTH,)),
    "questions": (np.uint8, (256,)),
}
"""What is remembered of every environment, and what is written for it."""


class _Structure(ctypes.Structure):
    """`calm_sight` of sight.h, which says what the fields mean."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("n", "said_bytes", *_NUMBERS)),
        *((name, ctypes.c_void_p) for name in (*_TABLES, *_READ, *_REMEMBERED)),
    ]  # fmt: skip


def space_for(n_envs: int) -> int:
    """Returns the bytes that `NativeSight` needs for a batch of so many environments."""
    arrays = [*_TABLES.values()]
    needed = sum(-(-array.nbytes // LINE) * LINE for array in arrays) + ctypes.sizeof(_Structure)
    for dtype, shape in (*_STEP.values(), *_REMEMBERED.values()):
        needed += -(-n_envs * math.prod(shape) * np.dtype(dtype).itemsize // LINE) * LINE
    return needed + 2 * LINE


class SharedSightBuffers(NamedTuple):
    """Memory of a backend into which `NativeSight` lays what the stepping processes need."""

    space: Array
    """`space_for` bytes that begin with a `calm_sight`."""
    actions: Array
    """(B,) int64, the actions of the step."""
    how: Array
    """(B,) int8, how the step ended episodes: 0 not, > 0 terminated, < 0 truncated."""
    header: Any
    """A `calm_header`."""


@runtime_checkable
class SupportsNativeSight(Protocol):
    """A backend that looks at each row as it steps it."""

    def enable_sight(self) -> SharedSightBuffers | None:
        """Returns the buffers, which are used once the header's `watched` is set; None if taken."""


class NativeSight:
    """Packs the steps of a batch into signatures as `envs.events.sight.Sight` does, in C.

    Args:
        batch: its `arrays` hold `keys`, (B, ...); its backend may look within the step.
        action_kinds: by action index, the number of the action's kind (uint8).
        built: the compiled stepper.
        may_share: whether it may leave the looking to the backend.

    Raises:
        ValueError: the batch's arrays are not contiguous.
    """

    keys = Sight.keys

    def __init__(
        self,
        batch: Arrays,
        action_kinds: npt.NDArray[np.uint8],
        built: Built,
        may_share: bool = True,
    ) -> None:
        self._library = ctypes.CDLL(str(built.library))
        n = len(batch.arrays["blstats"])
        backend = getattr(batch, "backend", None)
        buffers = None
        if may_share and isinstance(backend, SupportsNativeSight):
            buffers = backend.enable_sight()
        self.in_step = buffers is not None
        """Whether rows are looked at by the process that steps them, before they are reset."""
        self.header = buffers.header if buffers else None
        """The header of that process's memory; None where rows are looked at here."""
        space = buffers.space if buffers else np.zeros(space_for(n), np.uint8)
        self._at = 0
        structure = self._cut(space, np.uint8, (ctypes.sizeof(_Structure),))
        places: dict[str, Array] = {}
        for name, table in _TABLES.items():
            places[name] = self._cut(space, table.dtype.type, table.shape)
            places[name][:] = table
        places["action_kinds"][: len(action_kinds)] = action_kinds
        places |= {key: batch.arrays[key] for key in self.keys}
        places["said"] = batch.arrays[messages.key_of(batch.arrays)]
        for name, (dtype, shape) in _STEP.items():
            own = self._cut(space, dtype, (n, *shape))
            places[name] = getattr(buffers, name) if buffers else own
        for name, (dtype, shape) in _REMEMBERED.items():
            places[name] = self._cut(space, dtype, (n, *shape))
        if not all(array.flags.c_contiguous for array in places.values()):
            raise ValueError("the arrays of a batch must be contiguous")
        self._places = (structure, places)  # C keeps bare pointers
        self._structure = _Structure.from_address(structure.ctypes.data)
        self._structure.n = n
        self._structure.said_bytes = places["said"].shape[1]
        for name, number in _NUMBERS.items():
            setattr(self._structure, name, number)
        for name, array in places.items():
            setattr(self._structure, name, array.ctypes.data)
        self._pointer = ctypes.byref(self._structure)
        self.signatures: npt.NDArray[np.uint8] = places["signatures"]
        self.questions: npt.NDArray[np.uint8] = places["questions"]
        self._actions, self._how = places["actions"], places["how"]
        if self.header is not None:
            self.header.watched = 1

    def _cut(self, space: Array, dtype: type, shape: tuple[int, ...]) -> Array:
        """Returns the next piece of the space as an array."""
        start = self._at + -(space.ctypes.data + self._at) % LINE
        self._at = start + math.prod(shape) * np.dtype(dtype).itemsize
        return space[start : self._at].view(dtype).reshape(shape)

    def on_reset(self, rows: Rows) -> None:
        if self.in_step:
            return
        rows = np.ascontiguousarray(rows, np.int64)
        self._library.calm_forget_some(
            self._pointer, rows.ctypes.data_as(ctypes.c_void_p), len(rows)
        )

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        if self.in_step:
            return
        self._actions[:] = actions
        np.subtract(terminated, truncated, out=self._how, dtype=np.int8, casting="unsafe")
        self._library.calm_see_all(self._pointer)

"""Lays out the memory that the parent and its workers share: a header and the batch's arrays.

It is an anonymous file (memfd), so nothing with a name can be left behind.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.game.conditions import MOST_BYTES, MOST_CONDITIONS
from envs.game.crops import PADDING
from envs.game.engine import ROW_KEYS

KEY_ORDER = (
    "glyphs", "chars", "colors", "specials", "blstats", "message", "program_state", "internal",
    "inv_glyphs", "inv_strs", "inv_letters", "inv_oclasses", "screen_descriptions", "tty_chars",
    "tty_colors", "tty_cursor", "misc", "messages",
)  # fmt: skip
"""Order of the pointers in nle's observation structure, and our own; calm.h has the same list."""
CROP_ORDER = tuple(PADDING)
"""Order of the maps that are cropped; calm.h has the same."""
HISTORY = 16
"""How many of its last actions each environment keeps."""
LINE = 64
"""Bytes of a cache line."""

ROWS: Mapping[str, tuple[type, tuple[int, ...]]] = {
    "action": (np.int64, ()),
    "next_seed": (np.uint64, ()),
    "level_seed": (np.int64, ()),
    "reward": (np.float32, ()),
    "status": (np.int8, ()),
    "flag": (np.uint8, ()),
    "history": (np.uint8, (HISTORY,)),
    "steps": (np.int32, ()),
    "limit": (np.int32, ()),
    "final_steps": (np.int32, ()),
    "final_level_seed": (np.int64, ()),
}
"""Arrays with a row for every environment, beside the observations."""


class ConditionSlot(ctypes.Structure):
    """`calm_condition` of calm.h: one of `envs.game.conditions.Condition`."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in (
            "kind", "place", "key", "repeatable", "required", "sufficient"
        )),
        ("reward", ctypes.c_double),
        ("texts", ctypes.c_uint8 * MOST_BYTES),
    ]  # fmt: skip


class Header(ctypes.Structure):
    """`calm_header` of calm.h, which says what the fields mean."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in (
            "n_envs", "n_workers", "path", "allow_all_yn", "allow_all_modes", "max_steps",
            "penalty", "spawn_monsters", "fix_moon_phase", "crop", "n_actions", "spin_us",
            "raw_steps", "n_conditions", "to_be_gone", "covered_by",
        )),
        *((name, ctypes.c_double) for name in (
            "reward_win", "reward_lose", "reward_step", "reward_gone", "penalty_step",
        )),
        ("conditions", ConditionSlot * MOST_CONDITIONS),
        ("presses", ctypes.c_int32 * 256),
        ("library", ctypes.c_char * 4096),
        ("root", ctypes.c_char * 4096),
        ("options", ctypes.c_char * 32768),
        ("key", ctypes.c_uint64 * len(KEY_ORDER)),
        ("key_final", ctypes.c_uint64 * len(KEY_ORDER)),
        ("row_bytes", ctypes.c_uint64 * len(KEY_ORDER)),
        ("crop_at", ctypes.c_uint64 * len(CROP_ORDER)),
        ("crop_final", ctypes.c_uint64 * len(CROP_ORDER)),
        *((name, ctypes.c_uint64) for name in (
            *ROWS, "place", "sight", "address", "watched", "table", "pay"
        )),
        ("paid", ctypes.c_int64),
        ("sync", ctypes.c_uint64),
    ]  # fmt: skip


class Memory:
    """The shared memory of a batch, mapped into this process.

    Args:
        n_envs: rows of every array, B.
        n_workers: processes that write into it.
        keys: observation keys, crops among them.
        crop: size of the crops.
        sight: bytes for `envs.native.sight`.
    """

    def __init__(
        self, n_envs: int, n_workers: int, keys: Iterable[str], crop: int, sight: int
    ) -> None:
        self._end = ctypes.sizeof(Header)
        plan: list[tuple[str, int, type, tuple[int, ...]]] = []

        def place(name: str, dtype: type, shape: tuple[int, ...]) -> int:
            start = -(-self._end // LINE) * LINE
            self._end = start + int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            plan.append((name, start, dtype, shape))
            return start

        offsets: dict[str, int] = {}
        for name, (dtype, shape) in ROWS.items():
            offsets[name] = place(name, dtype, (n_envs, *shape))
        offsets["place"] = place("place", np.int32, (max(n_workers, 1),))
        offsets["sight"] = place("sight", np.uint8, (sight,))
        offsets["sync"] = place("sync", np.uint32, (LINE // 4 * 3 + max(n_workers, 1),))
        key_at: dict[str, int] = {}
        final_at: dict[str, int] = {}
        for key in keys:
            base = key.removesuffix("_crop")
            shape, dtype = ROW_KEYS[base]
            shape = (n_envs, *((crop, crop) if base != key else shape))
            key_at[key] = place(f"now {key}", dtype, shape)
            final_at[key] = place(f"final {key}", dtype, shape)

        self.fd = os.memfd_create("calm")
        os.ftruncate(self.fd, self._end)
        self._map = mmap.mmap(self.fd, self._end)
        self.header = Header.from_buffer(self._map)
        for name, offset in offsets.items():
            setattr(self.header, name, offset)
        for i, key in enumerate(KEY_ORDER):
            self.header.key[i] = key_at.get(key, 0)
            self.header.key_final[i] = final_at.get(key, 0)
            shape, dtype = ROW_KEYS[key]
            self.header.row_bytes[i] = int(np.prod(shape)) * np.dtype(dtype).itemsize
        for i, key in enumerate(CROP_ORDER):
            self.header.crop_at[i] = key_at.get(f"{key}_crop", 0)
            self.header.crop_final[i] = final_at.get(f"{key}_crop", 0)
        self.header.address = self.address
        self.header.n_envs, self.header.n_workers, self.header.crop = n_envs, n_workers, crop
        views: dict[str, npt.NDArray[Any]] = {
            name: np.frombuffer(
                self._map, dtype, int(np.prod(shape, dtype=np.int64)), start
            ).reshape(shape)
            for name, start, dtype, shape in plan
        }
        self.rows: dict[str, npt.NDArray[Any]] = {name: views[name] for name in ROWS}
        """The arrays of `ROWS`, by name, (B, ...)."""
        self.place: npt.NDArray[np.int32] = views["place"]
        """(workers,) the row that each worker is at, -1 between two steps."""
        self.sight: npt.NDArray[np.uint8] = views["sight"]
        """The bytes for `envs.native.sight`."""
        sync: npt.NDArray[np.uint32] = views["sync"]
        self.turn = sync[:1]
        """(1,) the number of the present turn."""
        self.pending = sync[LINE // 4 : LINE // 4 + 1]
        """(1,) workers that have not finished it."""
        self.finished = sync[LINE // 4 * 3 :]
        """(workers,) the last turn that each worker has finished."""
        self.arrays = {key: views[f"now {key}"] for key in key_at}
        """Observations by key, (B, ...)."""
        self.final = {key: views[f"final {key}"] for key in final_at}
        """Last observations of episodes that a step ended, by key, (B, ...)."""

    @property
    def address(self) -> int:
        """The header's address in this process."""
        return ctypes.addressof(self.header)

    def close(self) -> None:
        """Closes the descriptor; the memory is freed with the last array that is a view of it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

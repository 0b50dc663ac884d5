"""Makes the level of a level seed in C where minigrid's grid is one that the C can draw.

The C repeats minigrid 3's generators of rooms and crossings, from the same random numbers, and
writes what `GridLevel.encode` writes. Who uses it compares some levels first: another minigrid or
numpy may draw otherwise.
"""

from __future__ import annotations

import ctypes
import logging
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from calm.native_build import build, failure, why_not
from envs.game.levels.code import DOORS

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
SOURCES = ("grids.c", "random.c", "rooms.c", "crossings.c", "level.c")
FLAGS = ("-std=gnu11", "-O2")
_ROOMS, _CROSSINGS = range(2)
_OBSTACLES = {"minigrid.core.world_object.Wall": 1, "minigrid.core.world_object.Lava": 3}
_MOST_BYTES = 1 << 14
"""A level takes less than 4,096 unless a task strews monsters or traps by the hundred."""


class GridTask(ctypes.Structure):
    """What fixes the levels of a task: `calm_grid_task` of grids.h."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in (
            "kind", "width", "height",  # columns and rows of minigrid's grid
            "least_rooms", "most_rooms", "largest_room",  # MultiRoomEnv alone
            "crossings", "obstacle",  # CrossingEnv alone: how many rivers, and of what
            "wall", "door_state", "monsters", "traps",  # as in `GridLevel.encode`
        )),
    )  # fmt: skip


class NativeLevels:
    """Compiles the levels of a task in C.

    Args:
        library: from `library`.
        task: whose levels.
        version: what each starts with, see `LevelCode`.
    """

    def __init__(self, library: ctypes.CDLL, task: GridTask, version: bytes) -> None:
        self._draw = library.calm_grid_level
        self._task = ctypes.byref(task)
        self._version = version

    def compile(self, seed: int) -> bytes | None:
        """Returns the compiled level of a level seed; None where the C can't draw it."""
        if not 0 <= seed < 1 << 64:
            return None
        level = ctypes.create_string_buffer(_MOST_BYTES)
        length = self._draw(self._task, seed, level, _MOST_BYTES)
        return None if length < 0 else self._version + ctypes.string_at(level, length)


def read_task(
    grid_env: Any, wall: str, door_state: str, monsters: int, traps: int
) -> GridTask | None:
    """Returns what the C has to know of a task; None where its levels are of another kind.

    Args:
        grid_env: minigrid's environment, unwrapped.
        wall, door_state, monsters, traps: as in `read_grid`.
    """
    if door_state not in DOORS:
        return None
    task = GridTask(
        width=grid_env.width,
        height=grid_env.height,
        wall=ord(wall),
        door_state=DOORS[door_state],
        monsters=monsters,
        traps=traps,
    )
    name = _name(type(grid_env))
    if name == "minigrid.envs.multiroom.MultiRoomEnv":
        task.kind = _ROOMS
        task.least_rooms, task.most_rooms = grid_env.minNumRooms, grid_env.maxNumRooms
        task.largest_room = grid_env.maxRoomSize
    elif name == "minigrid.envs.crossing.CrossingEnv":
        task.kind = _CROSSINGS
        task.crossings = grid_env.num_crossings
        task.obstacle = _OBSTACLES.get(_name(grid_env.obstacle_type), 0)  # 0: the C refuses
    else:
        return None
    return task


def _name(kind: type) -> str:
    """Returns the full name of a class, which need not be imported for it."""
    return f"{kind.__module__}.{kind.__qualname__}"


@cache
def library() -> ctypes.CDLL | None:
    """Returns the compiled functions; None, with one line in the log, where they can't be built."""
    reason = why_not()
    if reason is None:
        try:
            folder = build("grids", HERE, {"grids.so": SOURCES}, flags=FLAGS, headers=("grids.h",))
            loaded = ctypes.CDLL(str(folder / "grids.so"))
        except (OSError, subprocess.SubprocessError) as error:
            reason = f"it does not compile: {failure(error)}"
        else:
            loaded.calm_grid_level.argtypes = (
                ctypes.POINTER(GridTask), ctypes.c_uint64, ctypes.c_char_p, ctypes.c_int,
            )  # fmt: skip
            return loaded
    log.warning("minigrid draws levels itself, which is slower: %s", reason)
    return None

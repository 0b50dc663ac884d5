"""Levels drawn in C: equal to those that minigrid draws and `GridLevel.encode` writes."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import numpy as np
import pytest

from envs.game.levels.grids.native import GridTask, NativeLevels, library
from envs.game.levels.minigrid import SeededLevels
from envs.game.minihack_env import make_minihack, minihack_ids, seeded_levels
from envs.game.rules import read_rules

TASKS = [id for id in minihack_ids() if "MultiRoom" in id or "Crossing" in id]
CLOSED = 4
"""What `DOORS` has for a closed door."""


def grids() -> ctypes.CDLL:
    compiled = library()
    assert compiled is not None
    return compiled


def rooms(**changes: int) -> GridTask:
    """Two to four rooms on a grid of 30 x 20; field by field otherwise."""
    fields = {
        "kind": 0, "width": 30, "height": 20, "least_rooms": 2, "most_rooms": 4, "largest_room": 6,
        "wall": ord("|"), "door_state": CLOSED,
    }  # fmt: skip
    return GridTask(**{**fields, **changes})


def level(task: GridTask, seed: int = 3) -> bytes | None:
    return NativeLevels(grids(), task, b"").compile(seed)


def compare(task: str, seeds: list[int]) -> None:
    env = make_minihack(task)
    levels = seeded_levels(env, read_rules(env))
    env.close()
    assert isinstance(levels, SeededLevels)
    assert levels._native is not None
    for seed in seeds:
        assert levels._native.compile(seed) == levels.draw(seed).encode(levels._compiler.version), (
            seed
        )


@pytest.mark.parametrize("task", TASKS)
def test_levels_are_those_that_minigrid_draws(task: str) -> None:
    compare(task, [*range(100, 200), 2**32 - 1, 2**32, 2**63, 2**64 - 1])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("task", TASKS)
def test_thousands_of_levels_are_those_that_minigrid_draws(task: str) -> None:
    compare(task, [*range(2000), *np.random.default_rng(1).integers(2**63, size=1000).tolist()])


class Stream:
    """Our generator of numpy's random numbers."""

    def __init__(self, seed: int) -> None:
        self._memory = ctypes.create_string_buffer(256)
        start = ctypes.addressof(self._memory)
        self._random = ctypes.c_void_p(start + -start % 16)
        grids().calm_seed(self._random, ctypes.c_uint64(seed))

    def draw(self, name: str, size: int) -> int:
        function = getattr(grids(), name)
        function.restype = ctypes.c_uint32
        return int(function(self._random, ctypes.c_uint32(size)))


SIZES = [
    1, 2, 3, 10, 2**31 + 1, 2**32 - 1,
    *np.random.default_rng(1).integers(1, 2**32 - 1, 1000).tolist(),
]  # fmt: skip
"""Half of the words for sizes above 2^31 are thrown away, as they must be."""


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, 2**32, 2**64 - 1])
def test_integers_are_those_that_numpy_draws(seed: int) -> None:
    ours, numpys = Stream(seed), np.random.default_rng(seed)
    for size in SIZES:
        assert ours.draw("calm_below", size) == numpys.integers(size)


@pytest.mark.parametrize("seed", range(3))
def test_orders_are_those_that_numpy_shuffles_to(seed: int) -> None:
    ours, numpys = Stream(seed), np.random.default_rng(seed)
    for n in range(1, 70):
        order, theirs = list(range(n)), list(range(n))
        for i in range(n - 1, 0, -1):
            j = ours.draw("calm_up_to", i)
            order[i], order[j] = order[j], order[i]
        numpys.shuffle(theirs)
        assert order == theirs


def test_the_game_is_loaded_without_minigrid() -> None:
    code = "import sys, envs.game.engine; sys.exit('pygame' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_rooms_that_find_no_place_are_given_up() -> None:
    assert level(rooms(least_rooms=2)) is not None
    assert level(rooms(least_rooms=30, most_rooms=30)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 4}, {"width": 81}, {"height": -1}, {"height": 41},
        {"least_rooms": 0}, {"least_rooms": 5}, {"most_rooms": 33}, {"largest_room": 3},
        {"largest_room": 2**31 - 1}, {"wall": ord(".")}, {"kind": 2}, {"monsters": 10**6},
        {"traps": 2**31 - 1},
        {"kind": 1, "obstacle": 1},
        {"kind": 1, "width": 79, "height": 39, "obstacle": 1, "crossings": 56},
        {"kind": 1, "width": 9, "height": 9, "obstacle": 2},
        {"kind": 1, "width": 9, "height": 9, "obstacle": 1, "crossings": -1},
    ],
    ids=str,
)  # fmt: skip
def test_nothing_is_drawn_that_has_no_room(changes: dict[str, int]) -> None:
    assert level(rooms(**changes)) is None


def test_the_largest_that_is_drawn() -> None:
    crossing = {"kind": 1, "width": 39, "height": 39, "obstacle": 3, "crossings": 100}
    assert level(rooms(**crossing)) is not None
    assert level(rooms(width=80, height=40, largest_room=39)) is not None


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_of_more_than_64_bits_is_left_to_minigrid(seed: int) -> None:
    assert level(rooms(), seed) is None


def test_nothing_is_written_beyond_the_callers_buffer() -> None:
    whole = level(rooms())
    assert whole is not None
    for capacity in (0, 7, 8, 100, len(whole) - 1, len(whole)):
        memory = ctypes.create_string_buffer(b"#" * (len(whole) + 8))
        length = grids().calm_grid_level(ctypes.byref(rooms()), 3, memory, capacity)
        assert length == (len(whole) if capacity == len(whole) else -1)
        assert memory.raw[capacity : len(whole) + 8] == b"#" * (len(whole) + 8 - capacity)

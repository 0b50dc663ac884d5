"""The shared memory of a batch: every array has a place of its own, at a cache line."""

import ctypes
import itertools

import numpy as np

from envs.game.engine import ENGINE_KEYS
from envs.native.layout import KEY_ORDER, LINE, Memory


def test_arrays_have_their_shapes_and_lie_apart() -> None:
    memory = Memory(3, 2, ("glyphs", "blstats", "glyphs_crop"), 5, sight=100)
    try:
        arrays = {
            **memory.rows,
            **{f"now {key}": array for key, array in memory.arrays.items()},
            **{f"final {key}": array for key, array in memory.final.items()},
            "place": memory.place,
            "sight": memory.sight,
        }
        assert arrays["now glyphs"].shape == (3, 21, 79)
        assert arrays["final glyphs_crop"].shape == (3, 5, 5)
        assert arrays["place"].shape == (2,)
        assert len(arrays["sight"]) == 100
        places = sorted((a.ctypes.data, a.ctypes.data + a.nbytes) for a in arrays.values())
        assert all(start % LINE == memory.address % LINE for start, _ in places)
        assert places[0][0] >= memory.address + ctypes.sizeof(memory.header)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(places))
    finally:
        memory.close()
        memory.close()


def test_the_header_says_where_c_finds_them() -> None:
    memory = Memory(2, 1, ("blstats",), 9, sight=0)
    header, number = memory.header, KEY_ORDER.index("blstats")
    assert memory.address + header.key[number] == memory.arrays["blstats"].ctypes.data
    assert memory.address + header.key_final[number] == memory.final["blstats"].ctypes.data
    shape, dtype = ENGINE_KEYS["blstats"]
    assert header.row_bytes[number] == np.prod(shape) * np.dtype(dtype).itemsize
    assert header.key[KEY_ORDER.index("glyphs")] == 0  # not filled
    memory.rows["reward"][1] = 0.5
    assert np.frombuffer(memory._map, np.float32, 2, header.reward).tolist() == [0.0, 0.5]
    memory.close()

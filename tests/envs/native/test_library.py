"""Copies of the engine's library: where they lie in memory, and what is left of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from envs.batch import Batch

TASK = "MiniHack-KeyRoom-S5-v0"


def copies() -> list[int]:
    """Where machine code of the engine lies in this process."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [int(line.split("-")[0], 16) for line in lines
            if "libnethack.so" in line and " r-xp " in line]  # fmt: skip


def address_space() -> int:
    """Bytes of this process's address space that are taken."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * 4096


def test_copies_share_the_lower_half_of_their_addresses() -> None:
    before = set(copies())
    with Batch(TASK, 3, workers=0) as batch:
        batch.reset()
        loaded = set(copies()) - before
        assert len(loaded) == 3
        assert len({address % 2**32 for address in loaded}) == 1
    assert set(copies()) == before


def test_no_address_space_is_left_reserved() -> None:
    before = address_space()
    with Batch(TASK, 3, workers=0) as batch:
        batch.reset()
        assert address_space() - before < 2**30
    assert address_space() - before < 2**30


def test_a_game_that_was_started_anew_is_as_good_as_new() -> None:
    rng = np.random.default_rng(0)
    actions = rng.integers(10, size=(40, 1))
    with Batch(TASK, 1, ("glyphs", "message", "inv_strs", "tty_chars"), workers=0) as batch:
        played = []
        for _ in range(3):
            batch.reset([5])
            seen = []
            for action in actions:
                batch.step(action)
                seen.append({key: array.copy() for key, array in batch.arrays.items()})
            played.append(seen)
    for again in played[1:]:
        for a, b in zip(played[0], again, strict=True):
            assert all(np.array_equal(a[key], b[key]) for key in a)

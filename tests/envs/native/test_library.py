"""Copies of the engine's library: where they lie in memory, and what is left of them."""

from __future__ import annotations

import ctypes
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from envs.stepping.batch import Batch

TASK = "MiniHack-KeyRoom-S5-v0"
LIBC = ctypes.CDLL(None)


class Heap(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
                     "uordblks", "fordblks", "keepcost")
    ]  # fmt: skip


def heap() -> int:
    """Bytes of the C library's heap that are taken."""
    LIBC.mallinfo2.restype = Heap
    usage = LIBC.mallinfo2()
    return int(usage.uordblks + usage.hblkhd)


def copies() -> list[int]:
    """Where machine code of the engine lies in this process."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [int(line.split("-")[0], 16) for line in lines
            if "libnethack.so" in line and " r-xp " in line]  # fmt: skip


def address_space() -> int:
    """Bytes of this process's address space that are taken."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * 4096


def folded(address: int) -> int:
    """The exclusive or of bits 12 to 23, 24 to 35 and 36 to 47."""
    return (address >> 12 ^ address >> 24 ^ address >> 36) % 2**12


def loaded(n: int) -> set[int]:
    """Where n copies have been while a batch had them."""
    before = set(copies())
    with Batch(TASK, n, workers=0) as batch:
        batch.reset()
        addresses = set(copies()) - before
    assert set(copies()) == before
    assert len(addresses) == n
    return addresses


def test_eight_copies_look_alike_to_the_processor() -> None:
    addresses = loaded(8)
    assert len({address % 2**32 for address in addresses}) == 1
    assert len({folded(address) for address in addresses}) == 1


def test_further_copies_look_alike_to_this_processor() -> None:
    addresses = loaded(11)
    families = re.findall(r"(?m)^cpu family\s*: (\d+)$", Path("/proc/cpuinfo").read_text())
    if families[:1] == ["25"]:
        assert len({folded(address) for address in addresses}) == 1
    else:
        assert len({address % 2**32 for address in addresses}) == 1


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
        games = []
        for _ in range(3):
            batch.reset([5])
            arrays = []
            for action in actions:
                batch.step(action)
                arrays.append({key: array.copy() for key, array in batch.arrays.items()})
            games.append(arrays)
    for again in games[1:]:
        for a, b in zip(games[0], again, strict=True):
            assert all(np.array_equal(a[key], b[key]) for key in a)


@pytest.mark.skipif(not hasattr(LIBC, "mallinfo2"), reason="older than glibc 2.33")
@pytest.mark.parametrize("task", [TASK, "MiniHack-Quest-Hard-v0"])
def test_episodes_leave_nothing_on_the_heap(task: str) -> None:
    rng = np.random.default_rng(0)
    with Batch(task, 1, ("glyphs",), workers=0) as batch:

        def play(episodes: int) -> int:
            before = heap()
            for _ in range(episodes):
                batch.reset()
                for _ in range(5):
                    batch.step(rng.integers(batch.n_actions, size=1))
            return heap() - before

        play(20)
        assert play(300) < 100 * 300  # NetHack alone leaves 2 kB an episode


def test_games_of_two_threads_stay_apart() -> None:
    games: dict[int, list[object]] = {}

    def play(n: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        games[n] = []
        with Batch(TASK, 2, ("glyphs", "inv_strs", "tty_chars"), workers=0, seed=seed) as batch:
            for _ in range(20):
                batch.reset()
                for _ in range(10):
                    batch.step(rng.integers(batch.n_actions, size=2))
                    games[n] += [array.tobytes() for array in batch.arrays.values()]

    threads = [threading.Thread(target=play, args=(n, n)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in (0, 1):
        play(2, n)
        assert games[n] == games[2]

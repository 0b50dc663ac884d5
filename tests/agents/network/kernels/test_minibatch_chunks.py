"""Cutting a minibatch: nothing is lost, equal rows are met once."""

import numpy as np
import pytest
import torch

from agents.network.kernels.minibatch_chunks import (
    NEW,
    PAD,
    Memory,
    Repeated,
    cut,
    number_rows,
    pick,
)

MAPS = np.array([[[1, 2]], [[3, 4]], [[1, 2]], [[3, 5]], [[3, 4]]], np.int16)


def test_equal_rows_get_the_same_number() -> None:
    assert number_rows(MAPS, 2).tolist() == [0, 1, 0, 2, 1]
    assert number_rows(np.asfortranarray(MAPS[:, 0]), 1).tolist() == [0, 1, 0, 2, 1]
    assert number_rows(np.array([3, 5, 3]), 0).tolist() == [0, 1, 0]


def test_equal_rows_of_windows_get_the_same_number() -> None:
    """Whatever their place in a window: here three windows of two maps each."""
    windows = MAPS[[[0, 1], [1, 2], [3, 0]]]
    assert number_rows(windows, 2).tolist() == [[0, 1], [1, 0], [2, 0]]


def test_windows_are_ordered_by_their_last_row() -> None:
    numbers = np.array([[0, 1], [1, 2], [2, 0], [3, 1]])
    (chunk,) = cut(np.arange(4), numbers, size=7)
    assert numbers[chunk, -1].tolist() == [0, 1, 1, 2]


def test_a_minibatch_without_numbers_is_cut_in_its_order() -> None:
    chunks = cut(np.array([5, 3, 1, 4, 0]), None, size=2)
    assert [c.tolist() for c in chunks] == [[5, 3], [1, 4], [0]]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_every_row_is_in_one_chunk_and_equal_ones_are_neighbours(size: int) -> None:
    numbers = np.random.default_rng(size).integers(0, 13, size=60)
    rows = np.random.default_rng(1).permutation(60)[:47]
    chunks = cut(rows, numbers, size)
    assert all(len(chunk) for chunk in chunks)
    assert len(chunks) <= -(-47 // size)
    order = np.concatenate(chunks)
    assert sorted(order) == sorted(rows)
    assert numbers[order].tolist() == sorted(numbers[rows].tolist())


def test_chunks_hold_equal_work() -> None:
    """A map met 700 times costs 700 and its `NEW`; 100 that differ cost 1 + NEW each: as much."""
    numbers = np.concatenate([np.zeros(100 * (1 + NEW), np.int64), np.arange(1, 101)])
    first, second = cut(np.arange(len(numbers)), numbers, size=400)
    assert abs(len(first) - 100 * (1 + NEW)) <= PAD
    assert len(first) + len(second) == len(numbers)


def test_what_is_picked_spreads_out_to_the_rows_asked_for() -> None:
    stored = {"map": torch.from_numpy(MAPS), "status": torch.arange(5)}
    rows = np.array([4, 2, 1, 0])
    observations = pick(stored, rows, {"map": number_rows(MAPS, 2)})
    assert torch.equal(observations["status"], torch.tensor([4, 2, 1, 0]))  # type: ignore[arg-type]
    repeated = observations["map"]
    assert isinstance(repeated, Repeated)
    assert len(repeated.rows) == PAD  # two that differ
    assert len(repeated.index.unique()) == 2
    assert torch.equal(repeated.through(lambda maps: maps + 1), torch.from_numpy(MAPS[rows] + 1))


def test_windows_that_are_picked_spread_out_over_rows_and_places() -> None:
    windows = MAPS[[[0, 1], [1, 2], [3, 0], [4, 3], [2, 2]]]
    rows = np.array([4, 2, 0])
    picked = pick({"map": torch.from_numpy(windows)}, rows, {"map": number_rows(windows, 2)})
    repeated = picked["map"]
    assert isinstance(repeated, Repeated)
    assert repeated.index.shape == (3, 2)
    assert len(repeated.index.unique()) == 3
    features = repeated.through(lambda maps: maps.flatten(1).sum(1) * 2)
    assert torch.equal(features, torch.from_numpy(windows[rows].sum((2, 3)) * 2))


def test_a_memory_computes_each_map_once() -> None:
    memory, computed = Memory(), []

    def part(maps: torch.Tensor) -> torch.Tensor:
        computed.append(len(maps))
        return maps.flatten(1).float() * 2

    for rows in ([0, 1, 2], [2, 4], [3, 3, 1, 0]):
        features = memory.look(MAPS[rows], 2).through(part)
        assert torch.equal(features, torch.from_numpy(MAPS[rows, 0] * 2).float())
    assert computed == [2, 1]


def test_a_memory_grows() -> None:
    memory = Memory()
    for first in (0, 200, 400):
        maps = np.arange(first, first + 200).reshape(200, 1)
        features = memory.look(maps, 1).through(lambda new: new.float())
        assert features.flatten().tolist() == list(range(first, first + 200))
    again = memory.look(np.array([[7], [399], [599]]), 1)
    assert again.through(lambda new: new.float()).flatten().tolist() == [7, 399, 599]


def test_a_memory_computes_the_rows_of_windows_once() -> None:
    memory, computed = Memory(), []

    def part(maps: torch.Tensor) -> torch.Tensor:
        computed.append(len(maps))
        return maps.flatten(1).float()

    for windows in ([[0, 1], [1, 3]], [[1, 0], [3, 2]]):
        features = memory.look(MAPS[windows], 2).through(part)
        assert torch.equal(features, torch.from_numpy(MAPS[windows][:, :, 0]).float())
    assert computed == [3]

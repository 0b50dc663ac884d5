"""Sets of numbers of each episode, all environments at once."""

import numpy as np

from envs.bonus.episode_sets import EpisodeSets, numbers_of_rows
from envs.seeding import mix


def numbers(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def test_a_number_is_new_once_in_each_row_until_the_row_is_cleared() -> None:
    sets = EpisodeSets(3)
    assert sets.add(numbers(7, 7, 8)).tolist() == [True, True, True]
    assert sets.add(numbers(7, 9, 8)).tolist() == [False, True, False]
    sets.clear(np.array([0]))
    assert sets.add(numbers(7, 7, 9)).tolist() == [True, False, True]
    assert sets.add_to(np.array([2]), numbers(7)).tolist() == [True]
    assert sets.add(numbers(8, 8, 7)).tolist() == [True, True, False]


def test_numbers_that_want_the_same_place_are_told_apart() -> None:
    sets = EpisodeSets(1, places=8)
    added = [bool(sets.add(numbers(n))[0]) for n in (3, 11, 19, 3, 11, 19, 27)]
    assert added == [True, True, True, False, False, False, True]


def test_they_are_pythons_sets_however_far_they_grow() -> None:
    draw = np.random.default_rng(0)
    ours, theirs = EpisodeSets(5, places=4), [set() for _ in range(5)]
    for step in range(600):
        values = mix(draw.integers(0, 300, 5).astype(np.uint64))
        expected = [v not in one for v, one in zip(values.tolist(), theirs, strict=True)]
        assert ours.add(values).tolist() == expected
        for v, one in zip(values.tolist(), theirs, strict=True):
            one.add(v)
        if step % 150 == 149:
            row = step // 150
            ours.clear(np.array([row]))
            theirs[row].clear()


def test_rows_share_a_number_if_their_content_is_the_same() -> None:
    rows = np.array([[1, 2, 3], [3, 2, 1], [1, 2, 3], [0, 0, 0]], np.int16)  # 6 bytes: padded
    one, two, three, four = numbers_of_rows(rows).tolist()
    assert one == three
    assert len({one, two, four}) == 3
    square = np.arange(16, dtype=np.int16).reshape(1, 4, 4)
    assert numbers_of_rows(square) == numbers_of_rows(square.reshape(1, 16))

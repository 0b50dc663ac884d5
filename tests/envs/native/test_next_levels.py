"""The next level of each game: its seed, and its file where every seed has a level of its own."""

from itertools import count
from pathlib import Path

import numpy as np
import pytest

from calm.errors import GameError
from envs.game.levels.compiler import LEVEL
from envs.native.next_levels import NextLevels


class Spelled:
    """The level of a seed is its digits; the one of the seed `broken` can't be made."""

    broken = -1

    def compile(self, seed: int) -> bytes:
        if seed == self.broken:
            raise GameError(f"no level {seed}")
        return str(seed).encode()


@pytest.fixture
def games(tmp_path: Path) -> Path:
    for row in range(2):
        (tmp_path / str(row)).mkdir()
    return tmp_path


def test_where_all_seeds_share_a_level_nothing_is_written(games: Path) -> None:
    seeds = np.zeros(2, np.uint64)
    numbers = count(7)
    levels = NextLevels(seeds, lambda _: next(numbers), None, games)
    levels.draw(1)
    levels.set(0, 3)
    levels.complete()
    assert seeds.tolist() == [levels.get(0), levels.get(1)] == [3, 7]
    assert not [path for path in games.rglob("*") if path.is_file()]


def test_a_level_lies_ready_as_soon_as_its_seed_is_drawn(games: Path) -> None:
    levels = NextLevels(np.zeros(2, np.uint64), lambda row: 40 + row, Spelled(), games)
    levels.draw(0)
    levels.draw(1)
    assert [(games / str(row) / LEVEL).read_bytes() for row in range(2)] == [b"40", b"41"]


def test_a_level_that_could_not_be_made_is_told_before_it_is_played(games: Path) -> None:
    maker = Spelled()
    maker.broken = 5
    levels = NextLevels(np.zeros(2, np.uint64), lambda _: 0, maker, games)
    levels.set(1, 5)
    with pytest.raises(GameError, match="no level 5"):
        levels.complete()
    maker.broken = -1
    levels.complete()
    assert (games / "1" / LEVEL).read_bytes() == b"5"

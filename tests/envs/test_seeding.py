"""Level seeds: splits apart, streams that can be drawn again."""

import itertools

import pytest

from calm.errors import UsageError
from envs.seeding import SPLITS, LevelSeeds


def first(n: int, seeds: LevelSeeds) -> list[int]:
    return list(itertools.islice(seeds, n))


def test_splits_never_meet() -> None:
    spans = sorted((r.start, r.stop) for r in SPLITS.values())
    assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(spans))
    assert all(r.step == 1 for r in SPLITS.values())


@pytest.mark.parametrize("split", SPLITS)
def test_seeds_stay_in_their_split(split: str) -> None:
    assert all(s in SPLITS[split] for s in first(500, LevelSeeds(split, 3, 2)))


def test_same_arguments_same_seeds() -> None:
    assert first(7, LevelSeeds("train", 3, 2)) == first(7, LevelSeeds("train", 3, 2))


def test_anything_different_different_seeds() -> None:
    streams = [
        first(50, LevelSeeds(split, seed, index))
        for split in SPLITS
        for seed in (-1, 0, 1, 2**40)
        for index in (0, 1, 2)
    ]
    train = streams[24:]
    assert len({s for stream in train for s in stream}) == len(train) * 50
    assert len({tuple(s) for s in streams}) == len(streams)


def test_one_episode_of_a_stream() -> None:
    seeds = LevelSeeds("data", 5, 1)
    assert [seeds.at(k) for k in range(5)] == first(5, LevelSeeds("data", 5, 1))
    assert first(2, LevelSeeds("data", 5, 1, episode=3)) == [seeds.at(3), seeds.at(4)]


def test_level_seeds_do_not_change_between_versions() -> None:
    assert first(3, LevelSeeds("test", 0, 0)) == [1835755, 1984124, 1195506]


def test_bad_input() -> None:
    with pytest.raises(UsageError, match=r"unknown split 'trian'.*'train'"):
        LevelSeeds("trian", 0, 0)
    with pytest.raises(UsageError, match="count from 0"):
        LevelSeeds("train", 0, -1)

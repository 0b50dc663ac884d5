"""Levels that minigrid draws: MultiRoom, LavaCrossing and SimpleCrossing."""

import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from calm.errors import GameError
from envs.game.levels.grids.native import NativeLevels
from envs.game.levels.minigrid import SeededLevels, grid_source
from envs.game.minihack_env import make_minihack, seeded_levels
from envs.game.rules import read_rules
from envs.stepping.batch import Batch

TASKS = [
    id
    for id in gymnasium.registry
    if id.startswith("MiniHack-") and ("MultiRoom" in id or "Crossing" in id)
]


def maps(task: str, *seeds: int, native: bool | None = None) -> list[bytes]:
    """What the first observations on these levels show."""
    first_maps = []
    with Batch(task, 1, ("chars",), native=native) as batch:
        for seed in seeds:
            batch.reset([seed])
            first_maps.append(batch.arrays["chars"].tobytes())
    return first_maps


def test_there_are_34() -> None:
    assert len(TASKS) == 24 + 6 + 4


@pytest.mark.parametrize(
    "task",
    [pytest.param(t, marks=[pytest.mark.slow] if i % 5 else []) for i, t in enumerate(TASKS)],
)
def test_a_level_seed_fixes_the_level(task: str) -> None:
    first, other, again = maps(task, 5, 6, 5)
    assert first == again
    assert first != other
    assert maps(task, 6, native=False) == [other]  # whatever was played before, and by Python


@pytest.mark.parametrize("task", TASKS)
def test_no_task_is_stepped_by_minihack(task: str) -> None:
    env = make_minihack(task)
    assert read_rules(env).path == "rules"
    env.close()


def test_minihack_steps_a_class_that_makes_its_levels_otherwise() -> None:
    env = make_minihack(TASKS[0])
    env.__class__ = type("Mine", (type(env),), {"get_env_desc": lambda self: ""})
    assert read_rules(env).path == "minihack"
    env.close()


@pytest.mark.parametrize(("task", "rooms"), [("N2-S4-v0", 2), ("N4-S5-v0", 4), ("N6-v0", 6)])
def test_rooms_are_as_many_as_the_name_says(task: str, rooms: int) -> None:
    source = grid_source(f"MiniGrid-MultiRoom-{task}", 76, 21)
    for seed in range(5):
        source.seed(seed)
        source.reset()
        grid = source.unwrapped
        assert len(grid.rooms) == rooms  # type: ignore[attr-defined]
        kinds = [cell.type for cell in grid.grid.grid if cell is not None]  # type: ignore[attr-defined]
        assert kinds.count("door") == rooms - 1
        assert kinds.count("goal") == 1


def test_a_seed_holds_for_one_grid() -> None:
    source = grid_source("MiniGrid-LavaCrossingS9N2-v0", 76, 21)

    def grid() -> bytes:
        source.reset()
        encoded: np.ndarray = source.unwrapped.grid.encode()  # type: ignore[attr-defined]
        return encoded.tobytes()

    source.seed(3)
    first, second = grid(), grid()
    assert first != second
    source.seed(3)
    assert [grid(), grid()] == [first, second]


ROOMS = "MiniHack-MultiRoom-N2-Lava-v0"


class Counted(Iterator[int]):
    """Level seeds from a number on."""

    def __init__(self, first: int) -> None:
        self._numbers = count(first)

    def __next__(self) -> int:
        return next(self._numbers)


def assert_levels(batch: Batch, *seeds: int) -> None:
    assert batch.level_seeds.tolist() == list(seeds)
    assert [row.tobytes() for row in batch.arrays["chars"]] == maps(ROOMS, *seeds)


@pytest.mark.parametrize(
    ("native", "workers"), [(False, None), (True, 0), (True, 2)], ids=["plain", "here", "workers"]
)
def test_every_way_to_reset_plays_the_level_of_its_seed(native: bool, workers: int | None) -> None:
    streams = [Counted(100), Counted(200)]
    with Batch(ROOMS, 2, ("chars",), level_seeds=streams, native=native, workers=workers) as batch:
        batch.reset()
        assert_levels(batch, 100, 200)
        batch.reset([7, 8])  # in between
        assert_levels(batch, 7, 8)
        batch.reset()
        assert_levels(batch, 101, 201)
        batch.streams[:] = [Counted(300), Counted(400)]
        batch.backend.redraw([0, 1])
        batch.reset()
        assert_levels(batch, 300, 400)
        ends = 0
        while ends < 3:  # resets within a step
            batch.step(np.random.default_rng(ends).integers(batch.n_actions, size=2))
            fresh = batch.steps == 0
            if fresh.any():
                ends += 1
                rows = batch.arrays["chars"][fresh]
                assert [r.tobytes() for r in rows] == maps(
                    ROOMS, *batch.level_seeds[fresh].tolist()
                )


def test_games_of_a_worker_that_died_go_on_with_levels_of_their_seeds() -> None:
    streams = [Counted(100), Counted(200)]
    with Batch(ROOMS, 2, ("chars",), level_seeds=streams, native=True, workers=2) as batch:
        batch.reset()
        os.kill(batch.backend.pids[0], signal.SIGKILL)  # type: ignore[attr-defined]
        batch.step([0, 0])
        seed = int(batch.level_seeds[0])
        assert seed > 100
        assert batch.arrays["chars"][0].tobytes() == maps(ROOMS, seed)[0]


@pytest.mark.parametrize("native", [False, True])
def test_no_other_level_is_played_where_a_full_disk_takes_none(native: bool) -> None:
    with Batch(ROOMS, 1, ("chars",), level_seeds=[Counted(5)], native=native, workers=0) as batch:
        batch.reset()
        backend = batch.backend
        folder = (
            backend._root / "0"  # type: ignore[attr-defined]
            if native
            else Path(backend._games[0]._env.nethack._vardir)  # type: ignore[attr-defined]
        )
        full = folder / "mylevel.lev.new"
        full.symlink_to("/dev/full")
        for _ in range(2):
            with pytest.raises(GameError, match=r"can't be written to .*No space left on device"):
                batch.reset([9])
        full.unlink()
        batch.reset([9])
        assert_levels(batch, 9)
        if native:  # the level of the next episode is laid ready while this one is played
            full.symlink_to("/dev/full")
            batch.backend.redraw([0])
            with pytest.raises(GameError, match="can't be written to"):
                batch.step([0])
            assert batch.steps.tolist() == [0]
            full.unlink()
            batch.step([0])
            batch.reset()
            assert_levels(batch, 7)  # 5 was played first, 6 forgotten


def test_a_grid_that_cannot_be_drawn_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    env = make_minihack(ROOMS)
    levels = seeded_levels(env, read_rules(env))
    assert levels is not None
    monkeypatch.setattr(env.minigrid_env.unwrapped, "width", 2)
    with pytest.raises(GameError, match="level seed 3"):
        levels.draw(3)
    env.close()


def levels_of(task: str) -> SeededLevels:
    env = make_minihack(task)
    levels = seeded_levels(env, read_rules(env))
    env.close()
    assert isinstance(levels, SeededLevels)
    return levels


def test_minigrid_is_not_asked_for_levels_that_the_c_can_draw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    levels = levels_of(ROOMS)
    others = [levels.draw(seed).encode(levels._compiler.version) for seed in range(10)]
    monkeypatch.setattr(levels, "draw", None)
    assert [levels.compile(seed) for seed in range(10)] == others


@pytest.mark.parametrize(
    "way",
    [
        lambda self, seed: b"other levels",
        lambda self, seed: None,
        lambda self, seed: None if seed else b"one other level",
    ],
    ids=["others", "none", "one"],
)
def test_minigrid_draws_levels_where_ours_would_differ(
    way: Callable[[NativeLevels, int], bytes | None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ours = levels_of(ROOMS).compile(3)
    monkeypatch.setattr(NativeLevels, "compile", way)
    assert levels_of(ROOMS).compile(3) == ours
    assert "minigrid draws levels itself, which is slower: ours differ" in caplog.text


def test_minigrid_draws_levels_where_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = levels_of(ROOMS).compile(3)
    monkeypatch.setattr("envs.game.levels.minigrid.library", lambda: None)
    levels = levels_of(ROOMS)
    assert levels._native is None
    assert levels.compile(3) == ours


def test_minigrid_draws_the_level_of_a_seed_that_the_c_does_not_take() -> None:
    levels = levels_of(ROOMS)
    seed = 1 << 64
    assert levels.compile(seed) == levels.draw(seed).encode(levels._compiler.version)


def test_minigrid_draws_what_the_c_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    env = make_minihack(ROOMS)
    grid_env = env.minigrid_env.unwrapped
    grid_env.__class__ = type("Mine", (type(grid_env),), {})
    levels = seeded_levels(env, read_rules(env))
    assert isinstance(levels, SeededLevels)
    assert levels._native is None
    assert levels.compile(3) == levels_of(ROOMS).compile(3)
    env.close()


def test_levels_are_compiled_by_nethack_where_ours_would_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = make_minihack(ROOMS)
    levels = seeded_levels(env, read_rules(env))
    assert levels is not None
    ours = levels.compile(3)
    monkeypatch.setattr("envs.game.levels.grid_level.GridLevel.encode", lambda self, version: b"")
    others = seeded_levels(env, read_rules(env))
    assert others is not None
    assert others.compile(3) == ours
    env.close()

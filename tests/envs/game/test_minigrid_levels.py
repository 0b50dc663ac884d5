"""Levels that minigrid draws: MultiRoom, LavaCrossing and SimpleCrossing."""

import gymnasium
import minihack  # noqa: F401  registers the tasks
import numpy as np
import pytest

from envs.game.minigrid_levels import grid_source
from envs.stepping.batch import Batch

TASKS = [
    id
    for id in gymnasium.registry
    if id.startswith("MiniHack-") and ("MultiRoom" in id or "Crossing" in id)
]


def maps(task: str, *seeds: int) -> list[bytes]:
    """What the first observations on these levels show."""
    first_maps = []
    with Batch(task, 1, ("chars",)) as batch:
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
    assert maps(task, 6) == [other]  # whatever was played before


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

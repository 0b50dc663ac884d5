"""Lets MiniHack draw the levels of MultiRoom, LavaCrossing and SimpleCrossing with minigrid 3.

MiniHack 1.0.2 takes a grid from minigrid at every reset and compiles a level from it. It was
written for an older gymnasium, and three of its calls no longer work: it seeds the grid's
environment with a method that gymnasium 1 has dropped, gives a size to crossings, which have their
own, and takes four rooms from an id under which minigrid has six. `use_minigrid_3` puts the calls
right; all else is MiniHack's. `SeededLevels` makes the same levels without MiniHack.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.seeding import np_random

from calm.errors import GameError
from envs.game.grid_level import GridLevel, read_grid
from envs.game.level_code import CheckedCompiler

_RENAMED = {"MiniGrid-MultiRoom-N4-S5-v0": "MiniGrid-MultiRoom-N4-S5-v1"}
"""Ids whose grids are not what their names say, and those that have taken their place."""


class GridSource(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Draws grids from a minigrid environment, of which nothing else is used."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._next_seed: int | None = None
        grid_env: Any = env.unwrapped
        grid_env.gen_obs = dict  # nobody looks at it, and it takes longer than a small grid

    def seed(self, core: int | None = None) -> None:
        """Fixes the grid of the next reset; those after it follow from it."""
        self._next_seed = core

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Draws a new grid; returns what the environment's own reset does."""
        seed, self._next_seed = self._next_seed, None
        return self.env.reset(seed=seed, **kwargs)


def grid_source(env_id: str, width: int, height: int) -> GridSource:
    """Returns the source of the grids of a minigrid environment.

    Args:
        env_id: as MiniHack names it.
        width, height: of the whole map, for environments that spread their rooms over it;
            crossings have a size of their own.
    """
    size = {} if "Crossing" in env_id else {"width": width, "height": height}
    env_id = _RENAMED.get(env_id, env_id)
    return GridSource(gymnasium.make(env_id, disable_env_checker=True, **size))


def use_minigrid_3(module: Any) -> None:
    """Makes `minihack.envs.minigrid` draw its grids from `grid_source`."""
    module.gym = SimpleNamespace(make=grid_source)


_Integers = Callable[[int, int], int]
"""Draws an integer from a number on, and below another."""
_WORDS = 128
"""Numbers of 32 bits that are drawn together."""


def _numpy_integers(generator: np.random.Generator) -> _Integers:
    """Returns what minigrid draws integers with."""
    return generator.integers


def small_integers(generator: np.random.Generator) -> _Integers:
    """Returns what draws the integers of `generator.integers`, from words that are drawn together.

    For ranges of less than 2^32, each of which numpy takes from a word by Lemire's method (2019).
    The generator is ahead of the last integer afterwards. Of the time that minigrid takes for six
    rooms, numpy's single draws are more than half.
    """
    words: list[int] = []

    def draw(low: int, high: int) -> int:
        size = high - low
        if size <= 1:
            if size < 1:
                raise ValueError(f"there is no integer from {low} on and below {high}")
            return low
        while True:
            if not words:
                drawn = generator.integers(0, 1 << 32, size=_WORDS, dtype=np.uint32)
                words.extend(reversed(drawn.tolist()))
            scaled = words.pop() * size
            rest = scaled & 0xFFFFFFFF
            if rest >= size or rest >= (1 << 32) % size:
                return low + (scaled >> 32)

    return draw


class SeededLevels:
    """Compiles the level that a task of minigrid's has for a level seed.

    MiniHack seeds minigrid with the level seed before each reset, so nothing else fixes a level.

    Args:
        env: MiniHack's object; it may be closed afterwards.
    """

    def __init__(self, env: Any) -> None:
        self._grid_env: Any = env.minigrid_env.unwrapped
        self._wall: str = env.wall
        self._options: tuple[str, int, int] = env.door_state, env.num_mon, env.num_trap
        self._integers: Callable[[np.random.Generator], _Integers] = _numpy_integers
        level = self.draw(0)
        self._integers = small_integers
        if self.draw(0) != level:
            self._integers = _numpy_integers
        self._compiler = CheckedCompiler(level)

    def draw(self, seed: int) -> GridLevel:
        """Returns the level of a level seed.

        Raises:
            GameError: minigrid can't draw it, or MiniHack could make no level of its grid.
        """
        grid_env = self._grid_env
        grid_env.np_random, _ = np_random(seed)  # as a reset with a seed does
        grid_env._rand_int = self._integers(grid_env.np_random)
        try:
            grid_env.reset()
            return read_grid(grid_env, self._wall, *self._options)
        except (AssertionError, RecursionError, TypeError, ValueError) as error:
            raise GameError(
                f"minigrid can't draw the level of level seed {seed}: {error}"
            ) from error

    def compile(self, seed: int) -> bytes:
        """Returns the compiled level of a level seed.

        Raises:
            GameError: as in `draw`.
        """
        return self._compiler.compile(self.draw(seed))

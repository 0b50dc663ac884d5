"""Lets MiniHack draw the levels of MultiRoom, LavaCrossing and SimpleCrossing with minigrid 3.

MiniHack 1.0.2 takes a grid from minigrid at every reset and compiles a level from it. It was
written for an older gymnasium, and three of its calls no longer work: it seeds the grid's
environment with a method that gymnasium 1 has dropped, gives a size to crossings, which have their
own, and takes four rooms from an id under which minigrid has six. `use_minigrid_3` puts the calls
right; all else is MiniHack's. `SeededLevels` makes the same levels without MiniHack.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium

from calm.errors import GameError
from envs.game.grid_level import VERSION_BYTES, GridLevel, read_grid
from envs.game.level_compiler import lev_comp

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


class SeededLevels:
    """Compiles the level that a task of minigrid's has for a level seed.

    MiniHack seeds minigrid with the level seed before each reset, so nothing else fixes a level.

    Args:
        env: MiniHack's object; it may be closed afterwards.
    """

    def __init__(self, env: Any) -> None:
        self._source: GridSource = env.minigrid_env
        self._wall: str = env.wall
        self._options: tuple[str, int, int] = env.door_state, env.num_mon, env.num_trap
        level = self.draw(0)
        compiled = lev_comp(level.des_file())
        self._version = compiled[:VERSION_BYTES]
        self._encodes = level.encode(self._version) == compiled

    def draw(self, seed: int) -> GridLevel:
        """Returns the level of a level seed.

        Raises:
            GameError: minigrid can't draw it, or MiniHack could make no level of its grid.
        """
        self._source.seed(seed)
        try:
            self._source.reset()
            return read_grid(self._source.unwrapped, self._wall, *self._options)
        except (AssertionError, RecursionError, TypeError, ValueError) as error:
            raise GameError(
                f"minigrid can't draw the level of level seed {seed}: {error}"
            ) from error

    def compile(self, seed: int) -> bytes:
        """Returns the compiled level of a level seed.

        By NetHack's own compiler if `GridLevel.encode` writes something else than that does.

        Raises:
            GameError: as in `draw`.
        """
        level = self.draw(seed)
        return level.encode(self._version) if self._encodes else lev_comp(level.des_file())

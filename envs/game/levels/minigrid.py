"""Lets MiniHack draw the levels of MultiRoom, LavaCrossing and SimpleCrossing with minigrid 3.

MiniHack 1.0.2 takes a grid from minigrid at every reset and compiles a level from it. It was
written for an older gymnasium, and three of its calls no longer work: it seeds the grid's
environment with a method that gymnasium 1 has dropped, gives a size to crossings, which have their
own, and takes four rooms from an id under which minigrid has six. `use_minigrid_3` puts the calls
right; all else is MiniHack's. `SeededLevels` makes the same levels without MiniHack.
"""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import gymnasium

from calm.errors import GameError
from envs.game.levels.code import CheckedCompiler
from envs.game.levels.grid_level import GridLevel, read_grid
from envs.game.levels.grids.native import NativeLevels, library, read_task

log = logging.getLogger(__name__)

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


_COMPARED = (*range(8), (1 << 40) + 3)
"""Level seeds on which the C has to draw what minigrid draws before it is trusted."""


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
        self._compiler = CheckedCompiler(self.draw(0))
        self._native = self._trusted()

    def _trusted(self) -> NativeLevels | None:
        """Returns what makes the levels in C; None where it can't, or makes others."""
        task = read_task(self._grid_env, self._wall, *self._options)
        grids = library()
        if task is None or grids is None:
            return None
        native = NativeLevels(grids, task, self._compiler.version)
        try:
            if all(native.compile(seed) == self._compile(seed) for seed in _COMPARED):
                return native
            differs = "ours differ from its own"
        except GameError as error:
            differs = str(error)
        log.warning("minigrid draws levels itself, which is slower: %s", differs)
        return None

    def draw(self, seed: int) -> GridLevel:
        """Returns the level of a level seed as minigrid itself draws it.

        Raises:
            GameError: minigrid can't draw it, or MiniHack could make no level of its grid.
        """
        try:
            self._grid_env.reset(seed=seed)
            return read_grid(self._grid_env, self._wall, *self._options)
        except (AssertionError, RecursionError, TypeError, ValueError) as error:
            raise GameError(
                f"minigrid can't draw the level of level seed {seed}: {error}"
            ) from error

    def compile(self, seed: int) -> bytes:
        """Returns the compiled level of a level seed: in C, or else drawn by minigrid itself.

        Raises:
            GameError: as in `draw`.
        """
        level = self._native.compile(seed) if self._native else None
        return self._compile(seed) if level is None else level

    def _compile(self, seed: int) -> bytes:
        """Returns what `compile` does, without our C."""
        return self._compiler.compile(self.draw(seed))

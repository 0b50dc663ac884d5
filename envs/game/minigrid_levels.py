"""Lets MiniHack draw the levels of MultiRoom, LavaCrossing and SimpleCrossing with minigrid 3.

MiniHack 1.0.2 takes a grid from minigrid at every reset and compiles a level from it. It was
written for an older gymnasium, and three of its calls no longer work: it seeds the grid's
environment with a method that gymnasium 1 has dropped, gives a size to crossings, which have their
own, and takes four rooms from an id under which minigrid has six. `use_minigrid_3` puts the calls
right; all else is MiniHack's.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium

_RENAMED = {"MiniGrid-MultiRoom-N4-S5-v0": "MiniGrid-MultiRoom-N4-S5-v1"}
"""Ids whose grids are not what their names say, and those that have taken their place."""


class GridSource(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Draws grids from a minigrid environment, of which nothing else is used."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._next_seed: int | None = None

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

"""Makes MiniHack's own environment objects; says what is wrong with one that can't be played."""

from __future__ import annotations

import copy
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calm.errors import GameError, UsageError, unknown

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # minihack 1.0.2 imports pkg_resources
    import gymnasium
    import minihack.base
    import minihack.envs.boxohack
    import minihack.envs.minigrid
    from gymnasium.envs.registration import load_env_creator
    from minihack.base import PATH_DAT_DIR, MiniHack
    from minihack.envs.boxohack import BoxoHack
    from minihack.envs.keyroom import MiniHackKeyDoor
    from minihack.envs.minigrid import MiniGridHack

from envs.game.levels.boxoban import BoxobanLevels, use_level_files
from envs.game.levels.compiler import Levels, lev_comp, take_level_out, use_level_compiler
from envs.game.levels.minigrid import SeededLevels, use_minigrid_3
from envs.game.rules import Rules, read_rules

use_level_compiler(minihack.base)
use_minigrid_3(minihack.envs.minigrid)
use_level_files(minihack.envs.boxohack)

PENALTY_MODES = ("constant", "exp", "square", "linear", "always")
"""What MiniHack takes as its option `penalty_mode`; it looks at it in the first step only."""


def minihack_ids() -> list[str]:
    """Returns MiniHack's ids in gymnasium's registry."""
    return [id for id in gymnasium.registry if id.startswith("MiniHack-")]


def make_minihack(task: str, options: Mapping[str, Any] | None = None) -> Any:
    """Returns MiniHack's own environment object, unwrapped, with its level compiled and checked.

    Args:
        task: id in gymnasium's registry, e.g. "MiniHack-KeyRoom-S5-v0".
        options: keyword arguments of the MiniHack class, e.g. `des_file` for the Custom tasks.

    Raises:
        UsageError: no such task, or options it does not take.
        GameError: the level does not compile, or there is no space for it.
    """
    if task not in gymnasium.registry:
        raise unknown("task", task, minihack_ids())
    level: list[str] = []
    try:
        with warnings.catch_warnings(), _noting_levels(level):
            warnings.simplefilter("ignore")
            # In the specification, for `gymnasium.make` keeps some options to itself.
            spec = copy.deepcopy(gymnasium.spec(task))
            spec.kwargs |= {"fix_moon_phase": True, **(options or {})}
            if "des_file" in spec.kwargs:
                _take_a_level(spec)
            env = gymnasium.make(spec, disable_env_checker=True).unwrapped
    except (AssertionError, AttributeError, TypeError, ValueError) as error:
        raise _not_taken(task, options, error) from error
    except ModuleNotFoundError as error:
        raise UsageError(f"{task} needs what is not installed here: {error}") from error
    except OSError as error:
        raise GameError(
            f"{task} can't be set up: {error}; is there space for temporary files?"
        ) from error
    if not isinstance(env, MiniHack):
        raise UsageError(f"{task} is not a MiniHack task but a {type(env).__name__}")
    try:
        check_level(task, level[-1])
        if env.penalty_mode not in PENALTY_MODES:
            raise unknown("penalty_mode", str(env.penalty_mode), PENALTY_MODES)
        read_rules(env)
    except (AttributeError, TypeError, ValueError) as error:
        env.close()
        raise _not_taken(task, options, error) from error
    except BaseException:
        env.close()
        raise
    return env


def _not_taken(task: str, options: Mapping[str, Any] | None, error: Exception) -> UsageError:
    """Returns the error for options that MiniHack does not take, or that no game can have."""
    why = str(error) or type(error).__name__
    return UsageError(f"{task} can't be made with {dict(options or {})}: {why}")


def _take_a_level(spec: gymnasium.envs.registration.EnvSpec) -> None:
    """Makes a KeyRoom's specification take a level of one's own, with its limit and its macro.

    MiniHack's classes of single rooms make their levels themselves; their base class takes one.
    """
    cls: Any = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else None
    if isinstance(cls, type) and issubclass(cls, MiniHackKeyDoor):
        room = cls(**{k: v for k, v in spec.kwargs.items() if k != "des_file"})
        spec.kwargs["max_episode_steps"] = room._max_episode_steps
        room.close()
        spec.entry_point = MiniHackKeyDoor


_MAKING = threading.Lock()


@contextmanager
def _noting_levels(levels: list[str]) -> Iterator[None]:
    """Appends to `levels` the des-files that MiniHack's objects compile inside the block.

    The objects themselves do not keep them.
    """
    compile_level = MiniHack._patch_nhdat

    def noting(self: Any, des_file: str) -> None:
        levels.append(des_file)
        compile_level(self, des_file)

    with _MAKING:
        MiniHack._patch_nhdat = noting
        try:
            yield
        finally:
            MiniHack._patch_nhdat = compile_level


def check_level(task: str, des_file: str) -> None:
    """Compiles a level and throws it away. MiniHack does not look, and would play another one.

    Args:
        task: for the message.
        des_file: text of a level, or a .des file's path as MiniHack takes it.

    Raises:
        GameError: it does not compile, or there is no such file.
    """
    if des_file.endswith(".des"):
        places = (os.path.abspath(des_file), os.path.join(PATH_DAT_DIR, des_file))
        path = next((place for place in places if os.path.exists(place)), None)
        if path is None:
            raise GameError(f"the level of {task} does not compile: there is no {des_file!r}")
        with open(path) as file:
            des_file = file.read()
    try:
        lev_comp(des_file)
    except GameError as error:
        raise GameError(f"the level of {task} does not compile: {error}") from error


def seeded_levels(env: Any, rules: Rules) -> Levels | None:
    """Returns what makes the level of a level seed, where a task has a level for each; else None.

    The level that MiniHack has compiled is taken out of the object's folder then.
    """
    if rules.path == "minihack" or not isinstance(env, MiniGridHack | BoxoHack):
        return None
    take_level_out(Path(env.nethack._vardir))
    return SeededLevels(env) if isinstance(env, MiniGridHack) else BoxobanLevels(env)

"""Steps one MiniHack game by MiniHack's own rules, without MiniHack's wrappers.

MiniHack's object is built once by `gymnasium.make` (its des-file, options, actions and limits, to
the letter); its low-level engine is then pointed at rows of the caller's arrays and stepped here.
Rewritten from what minihack 1.0.2 and nle 1.3.0 do (minihack/base.py, minihack/envs/keyroom.py,
nle/env/base.py, nle/env/tasks.py); tests/whole/test_conformance.py steps both side by side.

Where we differ, on purpose:

* the time limit is `truncated` alone; MiniHack says terminated=True, truncated=False and
  info["end_status"] = ABORTED. Every other end is `terminated` alone.
* the last observation of an episode is the one in which it ended. MiniHack quits the game first
  and then returns the blank screen of a game that is no more (0.7 ms, and nothing to bootstrap a
  value from).
* KeyRoom's APPLY forces the door in a loop without end; ours gives up after `MACRO_LIMIT` tries.
* `fix_moon_phase`: the phase of the moon follows the level seed and not the calendar.
"""

from __future__ import annotations

import copy
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.errors import GameError, UsageError, unknown
from envs.game.clock import stop_clock
from envs.game.glyphs import CLOSED_DOORS, SKELETON_KEY

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
    from nle import nethack

from envs.game import messages
from envs.game.boxoban import BoxobanLevels, use_level_files
from envs.game.goal import ABORTED, DIED, LOST, RUNNING, WON, Goal
from envs.game.level_compiler import (
    Levels,
    lev_comp,
    take_level_out,
    use_level_compiler,
    write_level,
)
from envs.game.messages import Messages
from envs.game.minigrid_levels import SeededLevels, use_minigrid_3
from envs.game.rules import Rules, read_rules

use_level_compiler(minihack.base)
use_minigrid_3(minihack.envs.minigrid)
use_level_files(minihack.envs.boxohack)

Array = npt.NDArray[Any]

ENGINE_KEYS: dict[str, tuple[tuple[int, ...], type]] = {
    name: (tuple(desc["shape"]), desc["dtype"]) for name, desc in nethack.OBSERVATION_DESC.items()
}
"""Shape and dtype of one observation, by nle's key."""
ROW_KEYS = {**ENGINE_KEYS, messages.KEY: ((messages.BYTES,), np.uint8)}
"""The same of all that a game can write."""

UNREAD_DESCRIPTIONS: Array = np.zeros(*ENGINE_KEYS["screen_descriptions"])
"""Where games write their descriptions of the screen if nobody reads them. MiniHack always asks for
them, and to describe an object that it remembers NetHack may draw random numbers."""

SPACE, ESC, APPLY, YES = 32, 27, int(nethack.Command.APPLY), ord("y")
AGENTS_QUESTIONS = (b"eat", b"attack", b"direction?", b"pray")
"""Words of questions that are left to the agent even where others are declined."""
DIRECTIONS = b"yku" + b"h.l" + b"bjn"
"""The key that moves to each of the 9 cells around the hero, row by row."""
MACRO_LIMIT = 100
"""Tries to open the door. MiniHack has no limit; a door that is not stuck takes one to five."""
START_LIMIT = 1000
"""Presses of SPACE to get through the game's opening screens, as in nle."""

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


class Game:
    """Plays one game, whose observations are written into the caller's arrays.

    Args:
        env: from `make_minihack`, never reset; it belongs to this object from here on.
        rows: by key, an array of the shape and dtype in `ROW_KEYS`; at least `rule_keys`.
        penalty: False leaves MiniHack's penalty for steps without game time out of the reward.
    """

    def __init__(self, env: Any, rows: Mapping[str, Array], penalty: bool = True) -> None:
        self.rules = read_rules(env)
        self._env = env
        self._levels = seeded_levels(env, self.rules)
        self._nethack = env.nethack._pynethack
        stop_clock(Path(env.nethack.dlpath))
        rows = {"screen_descriptions": UNREAD_DESCRIPTIONS, **rows}
        row = rows.pop(messages.KEY, None)
        self._nethack.set_buffers(**rows)
        self._rows = rows  # the engine keeps bare pointers
        self._penalty = penalty
        self._steps = 0
        self._messages = None
        if row is not None:
            self._messages = Messages(row, rows["message"], rows["internal"], rows["blstats"])
        if self.rules.path == "minihack":
            press = env.nethack.step

            def press_and_hear(key: int) -> Any:
                pressed = press(key)
                self._hear()
                return pressed

            env.nethack.step = press_and_hear
            buffers = tuple(rows[key] for key in env._observation_keys)
            env.nethack._obs = buffers
            # The rows are the observation; and see "where we differ" above.
            env._get_observation = lambda observation: None
            env._quit_game = lambda observation, done: None
            time_penalty = env._get_time_penalty

            def set_apart(before: Any, after: Any) -> float:
                self._time_penalty = float(time_penalty(before, after))
                return 0.0

            env._get_time_penalty = set_apart
        # Plain ints out of a memoryview cost a third of numpy's scalars.
        self._state = rows["program_state"].data
        self._internal = rows["internal"].data
        self._blstats = rows["blstats"].data
        self._message = rows["message"]
        self._goal = Goal(self.rules, rows)

    def reset(self, seed: int) -> None:
        """Starts an episode on the level of `seed`; the rows hold its first observation.

        Raises:
            GameError: the game never comes to its first move, or its level can't be made.
        """
        self._steps = 0
        self._begin_to_hear(episode=True)
        if self.rules.path == "minihack":
            self._env.seed(seed, seed, False)
            self._env.reset()
            self._hear(ends=True)
            return
        if self._levels:
            write_level(Path(self._env.nethack._vardir), self._levels.compile(seed))
        self._nethack.set_initial_seeds(seed, seed, False, None)
        self._nethack.reset()
        for _ in range(START_LIMIT):
            if self._state[3]:  # in the move loop
                self._goal.begin()
                self._begin_to_hear(episode=True)
                self._hear(ends=True)
                return
            self._press(SPACE)
        raise GameError(f"the game of level seed {seed} does not start: it asks for ever")

    def step(self, action: int, limit: int | None = None) -> tuple[float, int]:
        """Steps once by an action's index; the rows hold what it led to.

        Args:
            action: its index.
            limit: steps after which the episode is cut; by default the task's.

        Returns:
            MiniHack's reward, and one of `RUNNING`, `WON`, `LOST`, `DIED`, `ABORTED`.
        """
        rules = self.rules
        self._begin_to_hear()
        limit = rules.max_steps if limit is None else limit
        if rules.path == "minihack":
            self._env._max_episode_steps = limit
            self._time_penalty = 0.0
            _, reward, _, _, info = self._env.step(action)
            self._hear(ends=True)
            status = int(info["end_status"])
            if status == WON and reward < 0:
                status = LOST
            return reward + self._time_penalty if self._penalty else reward, status
        press = rules.presses[action]
        done = False
        if press == APPLY and rules.path == "keyroom":
            done = self._open_door()
        before = self._blstats[20]
        if not done:
            done = self._press(press)
            if self._state[0] == 1 or not rules.allow_all_modes:
                done = self._known_steps(done)
        self._hear(ends=True)
        self._steps += 1
        late = self._steps >= limit
        reached = not late and self._goal.reached(press)
        status = RUNNING
        if done:
            status = DIED  # even at the goal, as in nle: a game that is over counts as a death
        elif late:
            status = ABORTED
        elif reached:
            status = WON
        reward = self._goal.reward(status)
        if status == WON and reward < 0:
            status = LOST
        if self._penalty and self._blstats[20] == before:
            reward += rules.penalty_step
        return reward, status

    def _press(self, key: int) -> bool:
        """Presses one key; returns whether the game is over."""
        self._nethack.step(key)
        self._hear()
        return bool(self._nethack.done())

    def _begin_to_hear(self, episode: bool = False) -> None:
        if self._messages is not None:
            self._messages.begin(episode)

    def _hear(self, ends: bool = False) -> None:
        """Notes what the game says, where anybody listens; see `Messages.hear`."""
        if self._messages is not None:
            self._messages.hear(ends)

    def _known_steps(self, done: bool) -> bool:
        """Confirms --More-- and declines questions that are not the agent's (NLE's method).

        Returns whether the game is over; `done` says whether it was before.
        """
        internal = self._internal
        while not done:
            if internal[3]:  # waits for a space
                done = self._press(SPACE)
            elif internal[2]:  # asks for a line of text
                done = self._press(ESC)
            elif internal[1]:  # asks for one character
                message = self._message.tobytes()
                if self.rules.allow_all_yn or any(word in message for word in AGENTS_QUESTIONS):
                    break
                return self._press(ESC)
            else:
                break
        return done

    def _door(self) -> int | None:
        """Returns the key towards the first closed door, row by row as KeyRoom looks; or None."""
        x, y = self._blstats[0], self._blstats[1]
        around = self._rows["glyphs"][y - 1 : y + 2, x - 1 : x + 2].ravel()
        for glyph, key in zip(around.tolist(), DIRECTIONS, strict=False):
            if glyph in CLOSED_DOORS:
                return key
        return None

    def _open_door(self) -> bool:
        """Unlocks and opens the door next to the hero if a key is carried: KeyRoom's macro.

        Returns whether the game is over.
        """
        carried = self._rows["inv_glyphs"]
        held = np.flatnonzero(carried == SKELETON_KEY)
        direction = self._door() if held.size else None
        if direction is None:
            return False
        letter = int(self._rows["inv_letters"][held[0]])
        for key in (APPLY, letter, direction, YES):
            if self._press(key):
                return True
        done = self._known_steps(False)
        for _ in range(MACRO_LIMIT):
            if done:
                break
            done = self._known_steps(self._press(direction))
            if self._door() is None:
                break
        return done

    def close(self) -> None:
        """Ends the game and removes its temporary folder."""
        self._env.close()

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

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from nle import nethack

from calm.errors import GameError
from envs.game import messages
from envs.game.clock import stop_clock
from envs.game.glyphs import CLOSED_DOORS, SKELETON_KEY
from envs.game.goal import ABORTED, DIED, LOST, RUNNING, WON, Goal
from envs.game.levels.compiler import write_level
from envs.game.messages import Messages
from envs.game.minihack_env import seeded_levels
from envs.game.rules import read_rules

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

"""Steps games in C, in worker processes over shared memory or in this one: the native path."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from nle import nethack

from calm.errors import GameError
from envs.game.conditions import KINDS, packed
from envs.game.engine import Array
from envs.game.goal import ABORTED
from envs.game.minihack_env import seeded_levels
from envs.game.rules import Rules
from envs.native.build import Built
from envs.native.folders import Folder
from envs.native.layout import Header, Memory
from envs.native.next_levels import NextLevels
from envs.native.sight import SharedSightBuffers, space_for
from envs.native.workers import LOOK_UP_US, Workers
from envs.observer import Actions, Rows
from envs.stepping.backend import Games

STEP, STEP_AND_RESET, RESET, RAW = 1, 2, 3, 5
"""Commands, as in calm.h."""
NOT_YET, NO_SUCH_ACTION, NO_START = -1, -2, -3
"""What turns.c returns instead of a number of rows."""
SPIN_US = 500
"""Microseconds that both sides look again before they sleep, see calm.h. On two cores 16 games of
KeyRoom-S5 took 138,000 steps/s with 0, 159,000 with 100, 154,000 with 500, 106,000 with 2000
(medians of five interleaved rounds, other batches idle beside them). A reset takes some 200."""


class NativeBackend:
    """Steps games in C; an `envs.stepping.backend.Backend`.

    Args:
        built: the compiled stepper.
        env: MiniHack's object: its options, its compiled level; it may be closed afterwards.
        rules: of the task; its path is not "minihack".
        games: to play; those keys that the rules read are there already.
        n_workers: processes; 0 plays in this one.
    """

    def __init__(self, built: Built, env: Any, rules: Rules, games: Games, n_workers: int) -> None:
        self.rules = rules
        n_envs = games.n_envs
        self._library = _library(str(built.library))
        self._memory = memory = Memory(n_envs, n_workers, games.keys, games.crop, space_for(n_envs))
        self.arrays: Mapping[str, Array] = memory.arrays
        self.final: Mapping[str, Array] = memory.final
        rows = memory.rows
        self.reward: npt.NDArray[np.float32] = rows["reward"]
        self.status: npt.NDArray[np.int8] = rows["status"]
        self.steps: npt.NDArray[np.int32] = rows["steps"]
        self.limit: npt.NDArray[np.int32] = rows["limit"]
        self.level_seed: npt.NDArray[np.int64] = rows["level_seed"]
        self.final_steps: npt.NDArray[np.int32] = rows["final_steps"]
        self.final_level_seed: npt.NDArray[np.int64] = rows["final_level_seed"]
        self._action = rows["action"]
        self._flag = rows["flag"]
        self.level_seed[:] = -1
        memory.place[:] = -1
        self._lost: set[int] = set()
        self._ended = 0  # rows, by the last turn, or one of the numbers above
        self._busy = False
        levels = seeded_levels(env, rules)
        folder = Folder(env, n_envs)
        self._root = folder.path
        self._next = NextLevels(rows["next_seed"], games.next_seed, levels, self._root)
        _describe(memory, env, rules, games.penalty, self._root)
        self._address = ctypes.c_void_p(memory.address)
        self._games: int | None = None
        self._workers: Workers | None = None
        end: Callable[[], object] | None = None
        try:
            for i in range(n_envs):
                self._next.draw(i)
            if n_workers:
                self._workers = Workers(built.worker, memory, games.task)
            else:
                why = ctypes.create_string_buffer(256)
                self._games = self._library.calm_open_all(self._address, why)
                if not self._games:
                    raise GameError(f"the engine can't be loaded: {why.value.decode()}")
                end = partial(self._library.calm_close_all, self._address, self._games)
        except BaseException:
            _tidy(os.getpid(), end, self._workers, memory, folder)
            raise
        # Also when the interpreter ends without close().
        self._tidy = weakref.finalize(self, _tidy, os.getpid(), end, self._workers, memory, folder)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return self._workers.pids if self._workers else []

    def enable_sight(self) -> SharedSightBuffers | None:
        """Returns the buffers of those who look at rows as they are stepped; None if taken."""
        header = self._memory.header
        if header.watched:
            return None
        return SharedSightBuffers(self._memory.sight, self._action, self.status, header)

    def step(self, actions: Actions, reset: bool) -> int:
        if self._busy:
            self._end_turn()
        self._next.complete()
        self._action[:] = actions
        command = STEP_AND_RESET if reset else STEP
        if self._lost:  # what was seen of them is of another game: nothing is paid in this turn
            header = self._memory.header
            pay, header.pay = header.pay, 0
            lost = self._turn(command)
            header.pay = pay
        else:
            lost = self._turn(command)
        if self._ended == NO_SUCH_ACTION:
            return -1
        if lost or self._lost:
            self._end_lost(sorted(lost | self._lost), reset)
            self._ended = int(np.count_nonzero(self.status))
        if reset and self._ended:
            for i in np.flatnonzero(self.status).tolist():
                self._next.draw(i)
        return self._ended

    def reset(self, rows: Rows, seeds: Sequence[int] | None) -> None:
        if self._busy:
            self._end_turn()
        ahead = [self._next.get(i) for i in rows.tolist()]
        if seeds is not None:
            self._take_seeds(rows, seeds)
        try:
            self._next.complete()
        except GameError:
            self._take_seeds(rows, ahead)
            raise
        self._flag[:] = 0
        self._flag[rows] = 1
        todo = set(rows.tolist())
        while lost := self._turn(RESET):
            # A new worker has no games at all: its other rows are reset too, and say so in the
            # next step. Levels that kill the engine are not tried again.
            self._lost |= lost - todo
            for i in lost:
                self._next.draw(i)
            self._next.complete()
            self._flag[:] = 0
            self._flag[sorted(lost)] = 1
        if seeds is None:
            for i in rows.tolist():
                self._next.draw(i)
        else:
            self._take_seeds(rows, ahead)
        self._lost.difference_update(todo)

    def _take_seeds(self, rows: Rows, seeds: Sequence[int]) -> None:
        """Takes these level seeds for the next episodes of these rows."""
        for i, seed in zip(rows.tolist(), seeds, strict=True):
            self._next.set(i, seed)

    def redraw(self, rows: Sequence[int]) -> None:
        if self._busy:
            self._end_turn()
        for i in rows:
            self._next.draw(i)

    def play_raw(self, steps: int) -> None:
        """Plays random actions by the engine alone, for the bench.

        Each worker plays its games one after the other, without batch or crops, and starts episodes
        as nle does. The batch can do this again and nothing else afterwards: what a reset goes back
        to is gone.
        """
        if self._busy:
            self._end_turn()
        self._memory.header.raw_steps = steps
        self._turn(RAW)

    def _turn(self, command: int) -> set[int]:
        """Lets all workers do a command; returns the rows whose games were lost meanwhile."""
        if self._workers is None:
            self._ended = self._library.calm_here(self._address, self._games, command)
            if self._ended == NO_START:
                row = int(self._memory.place[0])
                raise GameError(
                    f"the game of environment {row} on level seed {self.level_seed[row]} does not"
                    " start"
                )
            return set()
        self._busy = True
        self._workers.turn_begins()
        self._ended = self._library.calm_turn(self._address, command, LOOK_UP_US)
        lost = self._finish() if self._ended == NOT_YET else set()
        self._busy = False
        return lost

    def _end_turn(self) -> None:
        """Lets a turn end that an exception (Ctrl-C) came into."""
        self._lost |= self._finish()
        self._busy = False

    def _finish(self) -> set[int]:
        """Waits for the end of a turn; returns the rows whose games were lost meanwhile."""
        lost: set[int] = set()
        assert self._workers is not None
        while True:
            for rows in self._workers.replace_dead_workers():
                lost.update(rows)
            self._ended = self._library.calm_wait(self._address, LOOK_UP_US)
            if self._ended != NOT_YET:
                return lost

    def _end_lost(self, rows: list[int], reset: bool) -> None:
        """Ends the episodes of rows whose games are gone as truncated, with what was seen last."""
        self._lost.clear()
        for key, array in self.arrays.items():
            self.final[key][rows] = array[rows]
        self.final_steps[rows] = self.steps[rows]
        self.final_level_seed[rows] = self.level_seed[rows]
        if reset:
            self.reset(np.array(rows), None)
        self.status[rows] = ABORTED
        for row in rows:
            self._library.calm_lost(self._address, row)
        self.reward[rows] = 0.0

    def close(self) -> None:
        self._tidy()


def _library(path: str) -> ctypes.CDLL:
    """Loads the stepper's functions, which are called without the interpreter's lock."""
    library = ctypes.CDLL(path)
    pointer, number = ctypes.c_void_p, ctypes.c_int
    library.calm_turn.argtypes = [pointer, ctypes.c_uint32, number]
    library.calm_wait.argtypes = [pointer, number]
    library.calm_open_all.argtypes = [pointer, ctypes.c_char_p]
    library.calm_open_all.restype = pointer
    library.calm_close_all.argtypes = [pointer, pointer]
    library.calm_close_all.restype = None
    library.calm_here.argtypes = [pointer, pointer, ctypes.c_uint32]
    return library


def _describe(memory: Memory, env: Any, rules: Rules, penalty: bool, root: Path) -> None:
    """Fills the header with all that the C code reads of a task and of where its games play."""
    header = memory.header
    write_rules(header, rules)
    header.penalty = penalty
    header.spin_us = SPIN_US
    header.library = os.fsencode(nethack.nethack.DLPATH)
    header.root = os.fsencode(root)
    header.options = env.nethack._nethackoptions.encode()


def write_rules(header: Header, rules: Rules) -> None:
    """Fills a header with a task's rules."""
    header.path = ("rules", "keyroom").index(rules.path)
    header.allow_all_yn = rules.allow_all_yn
    header.allow_all_modes = rules.allow_all_modes
    header.max_steps = rules.max_steps
    header.spawn_monsters = rules.spawn_monsters
    header.fix_moon_phase = rules.fix_moon_phase
    header.n_actions = len(rules.presses)
    header.reward_win, header.reward_lose = rules.reward_win, rules.reward_lose
    header.reward_step, header.reward_gone = rules.reward_step, rules.reward_gone
    header.penalty_step = rules.penalty_step
    header.to_be_gone = ord(rules.to_be_gone or "\0")
    header.covered_by = ord(rules.covered_by or "\0")
    header.n_conditions = len(rules.conditions)
    for slot, condition in zip(header.conditions, rules.conditions, strict=False):
        slot.kind = KINDS.index(condition.kind)
        for name in ("place", "key", "repeatable", "required", "sufficient", "reward"):
            setattr(slot, name, getattr(condition, name))
        texts = packed(condition)
        slot.texts[: len(texts)] = texts
    header.presses[: len(rules.presses)] = rules.presses


def _tidy(
    owner: int,
    end: Callable[[], object] | None,
    workers: Workers | None,
    memory: Memory,
    folder: Folder,
) -> None:
    """Ends games, those in this process by `end`, and frees their processes, memory and folder.

    In a fork of the process `owner`, which made the batch, nothing is done.
    """
    if os.getpid() != owner:
        return  # a fork of the process that made the batch ends, the batch doesn't
    if end is not None:
        end()
    if workers is not None:
        workers.close()
    memory.close()
    folder.remove()

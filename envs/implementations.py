"""Chooses between the implementations in Python and in C; the one file that knows both."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from calm.records import Subgoal
from envs.events.stream import EventStream
from envs.game.minihack_env import make_minihack
from envs.game.rules import read_rules, rule_keys
from envs.native.backend import NativeBackend
from envs.native.build import Built, built
from envs.native.check import CROP, ENVS, KEYS, TASK, trusted
from envs.native.events import NativeCredit, NativeEventStream
from envs.observer import Arrays
from envs.stepping.backend import Backend, Games
from envs.stepping.plain import PlainBackend

PayingStream = NativeEventStream
"""A stream of events that pays for a step within the step."""
InStepCredit = NativeCredit
"""The credit that such a stream has paid."""


def make_backend(games: Games, workers: int | None, native: bool | None) -> Backend:
    """Makes the fastest backend that the task and the machine allow.

    Args:
        games: to play; keys that the task's rules read are added.
        workers: processes that play them on the native path; None takes one a core, 0 plays in
            this process.
        native: True insists on the native path, False on the plain one.

    Raises:
        UsageError: a negative number of workers, or `native=True` where that path can't be taken.
    """
    if workers is not None and workers < 0:
        raise UsageError(f"workers must be at least 0, got {workers}")
    env = make_minihack(games.task, games.options)
    try:
        rules = read_rules(env)
        games = replace(games, keys=tuple(dict.fromkeys((*games.keys, *rule_keys(rules)))))
        stepper = None
        if native is not False and rules.path != "minihack":
            stepper = trusted_stepper()
        if native and stepper is None:
            raise UsageError(f"{games.task} can't take the native path here; leave out native=True")
        if stepper is None:
            return PlainBackend(env, games)
    except BaseException:
        env.close()
        raise
    if workers is None:
        workers = len(os.sched_getaffinity(0))
    try:
        return NativeBackend(stepper, env, rules, games, min(workers, games.n_envs))
    finally:
        env.close()


def make_event_stream(task_id: str, batch: Arrays) -> EventStream:
    """Returns the native stream of events where the stepper is trusted, else the plain one."""
    stepper = trusted_stepper()
    return (
        EventStream(task_id, batch)
        if stepper is None
        else NativeEventStream(task_id, batch, stepper)
    )


def paying_stream(
    stream: EventStream, status: npt.NDArray[np.int8], subgoals: Sequence[Subgoal], once: bool
) -> PayingStream | None:
    """Makes the stream pay from now on and returns it; None if it is one that can't.

    Args:
        status: (B,) of the batch's last step, see `envs.stepping.batch.Batch`.
        subgoals: (G,) those that are judged.
        once: pay each subgoal as often as it is to be done in an episode, else every time.
    """
    if not isinstance(stream, NativeEventStream):
        return None
    stream.pay_with(NativeCredit(status, [s.times for s in subgoals], once))
    return stream


def engine_alone(backend: Backend) -> Callable[[int], None]:
    """Returns a function that plays random steps, so many in every game, without the batch.

    Args:
        backend: a native one, whose games are played.

    Raises:
        UsageError: it is another backend.
    """
    if not isinstance(backend, NativeBackend):
        raise UsageError("only the native path plays the engine alone")
    return backend.play_raw


def trusted_stepper() -> Built | None:
    """Returns the compiled stepper if it gives the same arrays as the plain path, else None."""
    stepper = built()
    if stepper is None or not trusted(stepper, both_paths):
        return None
    return stepper


def both_paths(stepper: Built) -> tuple[Backend, Backend]:
    """Makes the native and the plain backend of the same games, for `envs.native.check`."""
    seeds = [count(1), count(1)]
    games = Games(TASK, ENVS, KEYS, lambda _: next(seeds[0]), CROP)
    env = make_minihack(TASK)
    try:
        native = NativeBackend(stepper, env, read_rules(env), games, n_workers=1)
    except BaseException:
        env.close()
        raise
    return native, PlainBackend(env, replace(games, next_seed=lambda _: next(seeds[1])))

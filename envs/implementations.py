"""Chooses between the plain and the native implementation; the one file that knows both."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from envs.events.stream import EventStream
from envs.game.engine import make_minihack, read_rules, rule_keys
from envs.native.backend import NativeBackend
from envs.native.build import Built, built
from envs.native.check import CROP, ENVS, KEYS, TASK, trusted
from envs.native.events import NativeCredit, NativeEventStream
from envs.observer import Arrays
from envs.stepping.backend import Backend, NextSeed
from envs.stepping.plain import PlainBackend

PayingStream = NativeEventStream
"""A stream of events that pays for a step within the step."""
InStepCredit = NativeCredit
"""What such a stream pays."""


def make_backend(
    task: str,
    options: Mapping[str, Any] | None,
    n_envs: int,
    keys: Sequence[str],
    crop: int,
    penalty: bool,
    next_seed: NextSeed,
    workers: int | None,
    native: bool | None,
) -> Backend:
    """Makes the fastest backend that the task and the machine allow; arguments as for `Batch`.

    Raises:
        UsageError: a negative number of workers, or `native=True` where that path can't be taken.
    """
    if workers is not None and workers < 0:
        raise UsageError(f"workers must be at least 0, got {workers}")
    env = make_minihack(task, options)
    try:
        rules = read_rules(env)
        keys = tuple(dict.fromkeys((*keys, *rule_keys(rules.path))))
        stepper = None
        if native is not False and rules.path != "minihack":
            stepper = trusted_stepper()
        if native and stepper is None:
            raise UsageError(f"{task} can't take the native path here; leave out native=True")
        if stepper is None:
            return PlainBackend(env, task, options, n_envs, keys, crop, penalty, next_seed)
    except BaseException:
        env.close()
        raise
    if workers is None:
        workers = len(os.sched_getaffinity(0))
    try:
        return NativeBackend(
            stepper, env, rules, task, n_envs, min(workers, n_envs), keys, crop, penalty, next_seed
        )
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
    stream: EventStream, status: npt.NDArray[np.int8], n_subgoals: int, once: bool
) -> PayingStream | None:
    """Makes the stream pay from now on and returns it; None if it is one that can't.

    Args:
        status: (B,) of the batch's last step, see `envs.stepping.batch.Batch`.
        n_subgoals: G.
        once: pay each subgoal once an episode, else every time.
    """
    if not isinstance(stream, NativeEventStream):
        return None
    stream.pay_with(NativeCredit(status, n_subgoals, once))
    return stream


def engine_alone(backend: Backend) -> Callable[[int], None]:
    """Plays so many random steps in every game of a native backend without the batch around them.

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
    env = make_minihack(TASK)
    try:
        native = NativeBackend(
            stepper, env, read_rules(env), TASK, ENVS, 1, KEYS, CROP, True, lambda _: next(seeds[0])
        )
    except BaseException:
        env.close()
        raise
    plain = PlainBackend(env, TASK, None, ENVS, KEYS, CROP, True, lambda _: next(seeds[1]))
    return native, plain

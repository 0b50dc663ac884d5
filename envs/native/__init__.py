"""The native stepper: nle's C library called straight, in worker processes or in this one.

Compiled at first use (`build`), compared with the plain path before it is trusted (`check`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from calm.errors import UsageError
from envs.game.engine import make_minihack, read_rules, rule_keys
from envs.native.backend import NativeBackend
from envs.native.build import built
from envs.native.check import trusted
from envs.stepping.backend import Backend, NextSeed, PlainBackend


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
    """The fastest backend that the task and the machine allow; arguments as for `Batch`."""
    if workers is not None and workers < 0:
        raise UsageError(f"workers must be at least 0, got {workers}")
    env = make_minihack(task, options)
    try:
        rules = read_rules(env)
        keys = tuple(dict.fromkeys((*keys, *rule_keys(rules.path))))
        stepper = None
        if native is not False and rules.path != "minihack":
            stepper = built()
            if stepper is not None and not trusted(stepper):
                stepper = None
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

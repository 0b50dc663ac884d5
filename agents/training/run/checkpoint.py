"""Snapshots and restores what a run needs to be resumed, as tensors and plain values.

A checkpoint is taken between two rollouts. A run resumes from it with the same weights, optimiser,
place in the schedules, counters, sums of recent episodes and random state (torch, numpy, Python),
with the networks of a bonus that learns, and with every environment's stream of levels. The middle
of a game can't be stored: episodes that were being played begin again, on the same levels. So a run
that was killed is not, to the last bit, the run that it would have been, but it resumes in the same
way however often it is tried.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from calm.annotation.live import Annotator
from calm.errors import UsageError
from calm.records import Usage
from envs.credit.noisy import NoisyStream
from envs.interfaces.sb3_vec import Sb3Vec

State = dict[str, Any]


def snapshot(model: OnPolicyAlgorithm, env: Sb3Vec) -> State:
    """Returns a copy of the state of `model` and of its environments, between two rollouts."""
    numpy = np.random.get_state(legacy=False)
    bonus = env.episodes.bonus_source
    return {
        "steps": model.num_timesteps,
        "policy": _copied(model.policy.state_dict()),
        "optimizer": _copied(model.policy.optimizer.state_dict()),
        "updates": model._n_updates,
        "torch_rng": torch.get_rng_state(),
        "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy_rng": _copied(numpy),
        "python_rng": random.getstate(),
        "playing": env.batch.playing(),
        "recent": [dict(episode) for episode in model.ep_info_buffer or ()],
        "recent_success": [bool(success) for success in model.ep_success_buffer or ()],
        "heard": {name: _copied(count) for name, count in _credit_counts(env).items()},
        "bonus": _copied(bonus.state()) if bonus is not None else {},
    }


def restore(model: OnPolicyAlgorithm, env: Sb3Vec, state: State) -> None:
    """Puts the state of a checkpoint into a model of the same settings and its environments.

    Raises:
        UsageError: it was made with other settings, or a part of it is missing.
    """
    try:
        _restore(model, env, state)
    except (KeyError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(
            "the run's checkpoint.pt does not fit its config.yaml: one of the two is another run's,"
            f" or was changed ({first})"
        ) from error


def _restore(model: OnPolicyAlgorithm, env: Sb3Vec, state: State) -> None:
    """Does what `restore` does; another run's state raises one of many errors."""
    state = _copied(state)  # torch's optimisers keep the tensors they are given
    model.policy.load_state_dict(state["policy"])
    model.policy.optimizer.load_state_dict(state["optimizer"])
    model.num_timesteps = state["steps"]
    model._n_updates = state["updates"]
    model.ep_info_buffer = deque(state["recent"], maxlen=model._stats_window_size)
    model.ep_success_buffer = deque(state["recent_success"], maxlen=model._stats_window_size)
    env.seed(model.seed)
    env.start_at(state["playing"])
    for name, count in state["heard"].items():
        owner = _owner(env, name)
        if owner is not None:
            setattr(owner, name, count.numpy() if isinstance(count, torch.Tensor) else count)
    if env.episodes.bonus_source is not None:
        env.episodes.bonus_source.restore(state["bonus"])
    torch.set_rng_state(state["torch_rng"])
    if torch.cuda.is_available() and state["cuda_rng"]:
        torch.cuda.set_rng_state_all(state["cuda_rng"])
    numpy = state["numpy_rng"]
    key = numpy["state"]["key"].numpy().astype(np.uint32)
    np.random.set_state(numpy | {"state": numpy["state"] | {"key": key}})
    version, internal, gauss = state["python_rng"]
    random.setstate((version, tuple(internal), gauss))


def judge_state(annotator: Annotator) -> State:
    """Returns the texts that a run has asked its judge about, and the usage of that."""
    usage = annotator.usage
    return {
        "texts": list(annotator.texts),
        "usage": {name: getattr(usage, name) for name in Usage.__dataclass_fields__},
    }


def restore_judge(annotator: Annotator, state: State) -> Usage:
    """Asks again about a run's texts, which costs nothing where a store holds the answers.

    Args:
        annotator: of the resumed run.
        state: as `judge_state` returned it.

    Returns:
        The usage of the run until its checkpoint.
    """
    if state["texts"]:
        annotator.judge_texts(state["texts"])
    return Usage(**state["usage"])


_SHAPING = ("unreadable", "pending")
_NOISY = ("hits", "misses", "false_alarms")


def _owner(env: Sb3Vec, name: str) -> Any:
    """Returns the object whose attribute `name` is the count; None where nothing counts it."""
    shaping = env.episodes.shaping
    if shaping is None:
        return None
    if name in _SHAPING:
        return shaping.counts
    return shaping.source if isinstance(shaping.source, NoisyStream) else None


def _credit_counts(env: Sb3Vec) -> State:
    """Returns the counts of the credit source's answers so far, by name."""
    owners = {name: _owner(env, name) for name in (*_SHAPING, *_NOISY)}
    return {name: getattr(owner, name) for name, owner in owners.items() if owner is not None}


def _copied(value: Any) -> Any:
    """Returns the same value with tensors copied, and arrays turned into int64 tensors."""
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(one) for one in value)
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.astype(np.int64))
    return value.clone() if isinstance(value, torch.Tensor) else value

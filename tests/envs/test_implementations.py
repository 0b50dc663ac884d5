"""Which implementation is taken: the native one where it is trusted, else the plain one."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import pytest

from calm.errors import UsageError
from envs import implementations
from envs.events.stream import EventStream
from envs.implementations import (
    engine_alone,
    make_backend,
    make_event_stream,
    paying_stream,
    trusted_stepper,
)
from envs.native.backend import NativeBackend
from envs.native.events import NativeEventStream
from envs.stepping.backend import Backend, Games
from envs.stepping.batch import Batch
from envs.stepping.plain import PlainBackend
from envs.tasks import task

TASK = "MiniHack-KeyRoom-S5-v0"
OWN_STEP = {"penalty_mode": "square"}
"""Options of MiniHack that our rules do not have, so that its own `step` plays."""


def backend(
    workers: int | None = 0, native: bool | None = None, options: dict[str, str] | None = None
) -> Backend:
    """The backend of two games."""
    seeds = count()
    games = Games(TASK, 2, ("glyphs",), lambda _: next(seeds), options=options)
    result = make_backend(games, workers, native)
    result.close()
    return result


@pytest.fixture
def untrusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing can be compiled."""
    monkeypatch.setattr(implementations, "built", lambda: None)


def test_the_native_path_is_taken_where_it_is_trusted() -> None:
    assert trusted_stepper() is not None
    assert isinstance(backend(), NativeBackend)
    assert isinstance(backend(native=False), PlainBackend)


def test_workers_are_one_a_game_at_most() -> None:
    none = backend(workers=0)
    assert isinstance(none, NativeBackend)
    assert none.pids == []
    seeds = count()
    games = Games(TASK, 2, ("glyphs",), lambda _: next(seeds))
    many = make_backend(games, workers=64, native=True)
    try:
        assert isinstance(many, NativeBackend)
        assert len(many.pids) == 2
    finally:
        many.close()


@pytest.mark.usefixtures("untrusted")
def test_the_plain_path_is_taken_where_nothing_compiles() -> None:
    assert isinstance(backend(), PlainBackend)
    with pytest.raises(UsageError, match=r"can't take the native path here; leave out native=True"):
        backend(native=True)


def test_a_task_with_a_step_of_its_own_takes_the_plain_path() -> None:
    assert isinstance(backend(options=OWN_STEP), PlainBackend)
    with pytest.raises(UsageError, match=f"{TASK} can't take the native path"):
        backend(native=True, options=OWN_STEP)


def test_fewer_than_no_workers_are_refused() -> None:
    with pytest.raises(UsageError, match="workers must be at least 0, got -1"):
        backend(workers=-1)


def test_what_the_rules_read_is_filled_unasked() -> None:
    assert {"glyphs", "message", "blstats", "internal", "inv_letters"} <= set(backend().arrays)


def test_streams_of_events_come_from_the_same_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    status = np.zeros(2, np.int8)
    with Batch(TASK, 2, EventStream.keys, workers=0) as batch:
        native = make_event_stream(TASK, batch)
        assert isinstance(native, NativeEventStream)
        assert paying_stream(native, status, task(TASK).subgoals, once=True) is native
        monkeypatch.setattr(implementations, "built", lambda: None)
        plain = make_event_stream(TASK, batch)
        assert type(plain) is EventStream
        assert paying_stream(plain, status, task(TASK).subgoals, once=True) is None


def test_only_the_native_path_plays_the_engine_alone() -> None:
    result: Any = backend(native=False)
    with pytest.raises(UsageError, match="only the native path"):
        engine_alone(result)

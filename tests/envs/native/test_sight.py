"""The native sight sees what the plain one sees."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from envs.events.sight import Sight
from envs.events.signature import ON_FOUNTAIN
from envs.events.stream import EventStream
from envs.native.build import built
from envs.native.events import NativeEventStream
from envs.native.sight import NativeSight
from envs.players.make import make_player
from envs.stepping.batch import Batch
from tests.support import pushing

TASKS = ("KeyRoom-S5", "KeyRoom-Dark-S15", "River-Lava", "Corridor-R3", "Room-Ultimate-15x15",
         "Quest-Easy")  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("n", [3, 4])  # the plain one takes another way where 4 divides the cells
def test_same_signatures(task: str, n: int) -> None:
    stepper = built()
    assert stepper is not None
    task = f"MiniHack-{task}-v0"
    rng = np.random.default_rng(1)
    with Batch(task, n, Sight.keys, seed=4, workers=1) as batch:
        kinds = np.arange(batch.n_actions, dtype=np.uint8)
        plain, native = Sight(batch, kinds), NativeSight(batch, kinds, stepper)
        batch.observers += [plain, native]
        player = make_player("scripted", task)
        player.begin(rng)
        batch.reset()
        for step in range(600):
            actions = rng.integers(batch.n_actions, size=n)
            if step % 10:
                actions[0] = player.act({key: rows[0] for key, rows in batch.arrays.items()})
            if batch.step(actions)[1][0]:
                player.begin(rng)
            assert np.array_equal(plain.signatures, native.signatures), f"step {step}"
            questions = np.flatnonzero(plain.signatures[:, 17] & 64)
            assert np.array_equal(plain.questions[questions], native.questions[questions])


@pytest.mark.parametrize("n", [3, 4])
def test_same_signatures_of_boulders_pushed_onto_fountains(n: int) -> None:
    stepper = built()
    assert stepper is not None
    rng = np.random.default_rng(2)
    options = {"des_file": pushing.LEVEL}
    with Batch(pushing.TASK, n, Sight.keys, options=options, workers=1) as batch:
        kinds = np.arange(batch.n_actions, dtype=np.uint8)
        plain, native = Sight(batch, kinds), NativeSight(batch, kinds, stepper)
        batch.observers += [plain, native]
        batch.reset()
        placed = 0
        for step in range(300):
            actions = rng.choice([0, 2, 3, *(5 * [pushing.EAST])], size=n)
            batch.step(actions)
            assert np.array_equal(plain.signatures, native.signatures), f"step {step}"
            placed += int(plain.signatures[:, ON_FOUNTAIN].sum())
        assert placed >= 3


@pytest.mark.parametrize(
    ("task", "workers"),
    [("KeyRoom-S5", 0), ("KeyRoom-S5", 3), ("Corridor-R3", 1), ("River-MonsterLava", 3),
     *(pytest.param(task, workers, marks=[pytest.mark.slow]) for task, workers in
       [("KeyRoom-S5", 1), ("Corridor-R3", 0), ("Corridor-R3", 3), ("River-MonsterLava", 0),
        ("River-MonsterLava", 1)])],
)  # fmt: skip
def test_rows_are_seen_before_they_are_reset(task: str, workers: int) -> None:
    """With the reset in the same turn as without, by whatever process plays."""
    stepper = built()
    assert stepper is not None
    task, n = f"MiniHack-{task}-v0", 5
    texts: list[list[list[str]]] = []
    for native in (False, True):
        rng = np.random.default_rng(6)
        with Batch(task, n, Sight.keys, seed=4, workers=workers) as batch:
            stream = NativeEventStream(task, batch, stepper) if native else EventStream(task, batch)
            batch.observers.append(stream)
            batch.reset()
            assert stream.in_step is native
            texts.append([])
            for _ in range(1200):
                batch.step(rng.integers(batch.n_actions, size=n))
                texts[-1].append([stream.texts[i] for i in stream.ids.tolist()])
    assert texts[0] == texts[1]
    ended = [text for step in texts[0] for text in step if "The episode ended" in text]
    assert len(ended) > n


@pytest.mark.parametrize("native", [False, True])
def test_where_no_backend_looks_it_looks_after_the_step(native: bool) -> None:
    stepper = built()
    assert stepper is not None
    task = "MiniHack-KeyRoom-S5-v0"
    rng = np.random.default_rng(7)
    with Batch(task, 2, Sight.keys, seed=4, workers=1, native=native) as batch:
        plain = EventStream(task, batch)
        streams = [NativeEventStream(task, batch, stepper) for _ in range(2)]
        assert [s.in_step for s in streams] == [native, False]  # one is looked for at most
        batch.observers += [plain, *streams]
        batch.reset()
        for _ in range(250):
            batch.step(rng.integers(batch.n_actions, size=2))
            for stream in streams:
                assert np.array_equal(plain.ids, stream.ids)


def test_nothing_is_seen_where_a_worker_died() -> None:
    stepper = built()
    assert stepper is not None
    task = "MiniHack-KeyRoom-S5-v0"
    with Batch(task, 4, Sight.keys, seed=4, workers=2) as batch:
        stream = NativeEventStream(task, batch, stepper)
        batch.observers.append(stream)
        batch.reset()
        batch.step([0, 1, 2, 3])
        os.kill(batch.backend.pids[1], signal.SIGKILL)  # type: ignore[attr-defined]
        _, _, truncated = batch.step([8, 8, 8, 8])
        assert truncated.tolist() == [False, False, True, True]
        for row in (2, 3):
            text = stream.texts[stream.ids[row]]
            assert text.startswith("Action: ")
            assert "Message" not in text
            assert text.endswith("The episode ended: time ran out.")
        batch.step([8, 8, 8, 8])
        for row in range(4):
            assert "ended" not in stream.texts[stream.ids[row]]

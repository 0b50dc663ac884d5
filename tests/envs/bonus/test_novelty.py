"""Novelty within an episode: what pays, what does not, and the same on both paths."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import envs
from calm.annotation.live import Annotator
from calm.errors import UsageError
from calm.judges import make_judge
from envs.bonus.novelty import WAYS, MakeNovelty, Novelty, ObservedNovelty, _message
from envs.events.stream import EventStream
from envs.stepping.batch import Batch
from envs.tasks import task as find_task

TASK = "MiniHack-KeyRoom-S5-v0"
NOTHING = np.zeros(2, np.int64)


def bools(*values: int) -> Any:
    return np.array(values, np.bool_)


def test_an_event_pays_the_first_time_in_its_episode() -> None:
    stream: Any = SimpleNamespace(ids=None)
    novelty = Novelty(2, stream)
    paid = []
    for ids, ended in [
        ((0, 0), (0, 0)),  # new to both
        ((0, 1), (0, 0)),  # new to the second
        ((1, 1), (1, 0)),  # new to the first, whose episode ends with it
        ((1, 0), (0, 0)),  # new to the first again
    ]:
        stream.ids = np.array(ids)
        paid.append(novelty.step(NOTHING, bools(*ended)).tolist())
    assert paid == [[1, 1], [0, 1], [1, 0], [1, 0]]
    novelty.reset()
    assert novelty.step(NOTHING, bools(0, 0)).tolist() == [1, 1]


def test_only_what_achieves_something_pays_where_a_judge_says_what_is_relevant() -> None:
    stream: Any = SimpleNamespace(ids=None)
    judge: Any = SimpleNamespace(achieved=None)
    novelty = Novelty(2, stream, judge)
    paid = []
    for ids, achieved in [
        ((0, 1), ((0, 0), (1, 0))),  # an event without, one with an achievement
        ((2, 1), ((0, 1), (1, 0))),  # another with one; a repeat
        ((3, 4), ((-1, 0), (-2, 0))),  # unreadable and not answered yet are no yes
        ((5, 5), ((1, 1), (1, 1))),  # two at once are one event
    ]:
        stream.ids, judge.achieved = np.array(ids), np.array(achieved, np.int8)
        paid.append(novelty.step(NOTHING, bools(0, 0)).tolist())
    assert paid == [[0, 1], [1, 0], [0, 0], [1, 1]]


def test_a_message_counts_up_to_its_end_and_none_is_nothing() -> None:
    rows = np.zeros((4, 256), np.uint8)
    for row, text in zip(rows, (b"You hit.\0old", b"You hit.\0new", b"", b"\0rest"), strict=True):
        row[: len(text)] = list(text)
    numbers = _message(rows)
    assert numbers[0] == numbers[1] != 0
    assert numbers[2:].tolist() == [0, 0]


def bonuses_of(batch: Batch, bonus: Any, steps: int = 450) -> list[list[float]]:
    """What random play is paid, for longer than the 200 steps of an episode."""
    draw = np.random.default_rng(5)
    paid = []
    batch.reset()
    bonus.reset()
    for _ in range(steps):
        actions = draw.integers(0, batch.n_actions, batch.n_envs)
        _, terminated, truncated = batch.step(actions)
        paid.append(bonus.step(actions, terminated | truncated).tolist())
    return paid


@pytest.mark.parametrize("way", [way for way in WAYS if way != "novelty:relevant"])
def test_plain_and_native_path_pay_the_same(way: str) -> None:
    make = MakeNovelty(way)
    with Batch(TASK, 4, make.keys, seed=2, workers=0) as native:
        ours = bonuses_of(native, make(native, None))
    with Batch(TASK, 4, make.keys, seed=2, native=False) as plain:
        bonus: Any = make(plain, None)
        if way == "novelty":
            plain.observers[:] = [EventStream(TASK, plain)]
            bonus = Novelty(4, plain.observers[0])
        theirs = bonuses_of(plain, bonus)
    assert ours == theirs
    assert 0 < np.sum(ours) < np.size(ours)


def test_cells_are_the_places_that_the_hero_has_been_to() -> None:
    make = MakeNovelty("novelty:cell")
    with Batch(TASK, 3, ("blstats",), seed=1, workers=0) as batch:
        bonus = make(batch, None)
        assert isinstance(bonus, ObservedNovelty)
        batch.reset()
        bonus.reset()
        been = [{tuple(row[:2])} for row in batch.arrays["blstats"].tolist()]
        draw = np.random.default_rng(0)
        for _ in range(250):
            actions = draw.integers(0, batch.n_actions, 3)
            _, terminated, truncated = batch.step(actions)
            paid = bonus.step(actions, terminated | truncated).tolist()
            for i, row in enumerate(batch.reached("blstats").tolist()):
                assert paid[i] == (tuple(row[:2]) not in been[i])
                been[i].add(tuple(row[:2]))
                if terminated[i] or truncated[i]:
                    been[i] = {tuple(batch.arrays["blstats"][i, :2].tolist())}


def test_a_judge_changes_nothing_about_novelty_and_relevance_leaves_some_of_it() -> None:
    def bonuses(judge: bool, bonus: str) -> np.ndarray:
        annotator = Annotator(make_judge("rules"), find_task(TASK)) if judge else None
        env = envs.make_vec(TASK, 3, judge=annotator, bonus=bonus, seed=4, workers=0)
        draw = np.random.default_rng(5)
        try:
            env.reset()
            infos = [env.step(draw.integers(0, 8, 3))[-1] for _ in range(250)]
            if judge:
                assert len(env.batch.observers) == 1  # the events are seen once for both
        finally:
            env.close()
        return np.array([info["bonus"] for info in infos])

    alone, beside, relevant = (
        bonuses(False, "novelty"), bonuses(True, "novelty"), bonuses(True, "novelty:relevant"),
    )  # fmt: skip
    assert (alone == beside).all()
    assert (relevant <= alone).all()
    assert 0 < relevant.sum() < alone.sum()


def test_what_cannot_be_paid_is_told_with_the_way_out() -> None:
    with pytest.raises(UsageError, match="did you mean 'novelty:cell'"):
        envs.make_vec(TASK, 1, bonus="novelty:cel")
    with pytest.raises(UsageError, match=r"no judge: name one .* or take the bonus novelty"):
        envs.make_vec(TASK, 1, bonus="novelty:relevant")
    with pytest.raises(UsageError, match=r"bonus_weight must be a finite number, such as 0\.1"):
        envs.make_vec(TASK, 1, bonus="novelty", bonus_weight=float("nan"))

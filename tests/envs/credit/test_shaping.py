"""What a batch's achievements pay, against credit worked by hand for two environments."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from calm.annotation.live import Annotator
from calm.credit import CreditMode
from calm.errors import UsageError
from calm.judges import make_judge
from calm.records import Subgoal
from envs.credit.shaping import BatchCredit
from envs.credit.sources import keys_of
from envs.stepping.batch import Batch
from envs.tasks import task

SUBGOALS = [Subgoal("a", "A holds."), Subgoal("b", "B holds.")]
NO = np.zeros(2, np.bool_)


class Source:
    """An achievement source whose answers the test sets."""

    keys = ()
    achieved = np.zeros((2, 2), np.int8)


def credit_of(
    mode: CreditMode, subgoals: Sequence[Subgoal] = SUBGOALS
) -> tuple[BatchCredit, Source, Any]:
    batch: Any = SimpleNamespace(n_envs=2, task="t", any_ended=False, observers=[])
    source = Source()
    credit = BatchCredit(batch, lambda _batch, _subgoals: source, subgoals, mode)  # type: ignore[arg-type,return-value]
    assert batch.observers == [source]
    return credit, source, batch


@pytest.mark.parametrize(("mode", "again"), [("once", [0.0, 0.0]), ("every", [2.0, 0.0])])
def test_repeats_pay_by_the_mode(mode: CreditMode, again: list[float]) -> None:
    credit, source, _ = credit_of(mode)
    source.achieved = np.array([[1, 1], [0, 0]], np.int8)
    assert credit.step(NO, NO).tolist() == [2.0, 0.0]
    assert credit.progress.tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert credit.step(NO, NO).tolist() == again


def test_what_is_to_be_done_twice_pays_half_each_time() -> None:
    credit, source, batch = credit_of("once", [Subgoal("a", "A.", times=2), SUBGOALS[1]])
    source.achieved = np.array([[1, 0], [0, 1]], np.int8)
    assert credit.step(NO, NO).tolist() == [0.5, 1.0]
    assert credit.progress.tolist() == [[0.5, 0.0], [0.0, 1.0]]
    batch.any_ended = True
    assert credit.step(np.array([True, False]), NO).tolist() == [0.5, 0.0]
    assert credit.final_progress.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert credit.progress.tolist() == [[0.0, 0.0], [0.0, 1.0]]


def test_an_end_keeps_what_the_episode_achieved_and_begins_anew() -> None:
    credit, source, batch = credit_of("once")
    source.achieved = np.array([[0, 1], [0, 0]], np.int8)
    batch.any_ended = True
    assert credit.step(np.array([True, False]), NO).tolist() == [1.0, 0.0]
    assert credit.final_progress.tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert credit.progress.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    batch.any_ended = False
    assert credit.step(NO, NO).tolist() == [1.0, 0.0]  # in the next episode it pays again


def test_what_is_unreadable_pays_nothing_and_is_counted() -> None:
    credit, source, _ = credit_of("once")
    source.achieved = np.array([[-1, 1], [-2, 0]], np.int8)
    assert credit.step(NO, NO).tolist() == [1.0, 0.0]
    assert (credit.counts.unreadable, credit.counts.pending) == (1, 1)


def test_credit_can_not_be_written_to() -> None:
    credit, source, _ = credit_of("every")
    for achieved in (0, 1):
        source.achieved = np.full((2, 2), achieved, np.int8)
        with pytest.raises(ValueError, match="read-only"):
            credit.step(NO, NO)[0] = 9.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": float("nan")}, "weight must be a finite number, got nan"),
        ({"judge": "truthful"}, "judge must be an Annotator or \"truth\", got 'truthful'"),
        ({"subgoals": []}, "has no given subgoals"),
    ],
)
def test_what_can_not_pay_is_refused(arguments: dict[str, Any], message: str) -> None:
    batch: Any = SimpleNamespace(n_envs=2, task="t", any_ended=False, observers=[])
    with pytest.raises(UsageError, match=message):
        BatchCredit(batch, **{"judge": "truth", "subgoals": SUBGOALS} | arguments)


def test_how_often_is_the_callers_where_an_annotator_judges() -> None:
    """In C and in Python alike."""
    given = task("KeyRoom-S5").subgoals
    often = [replace(s, times=4) for s in given]
    annotator = Annotator(make_judge("rules"), task("KeyRoom-S5"))
    for native in (True, False):
        with Batch(
            "MiniHack-KeyRoom-S5-v0", 2, keys_of(annotator), native=native, workers=0
        ) as batch:
            credit = BatchCredit(batch, annotator, often)
            batch.reset()
            rng = np.random.default_rng(0)
            paid = []
            for _ in range(200):
                _, terminated, truncated = batch.step(rng.integers(8, size=2))
                paid += credit.step(terminated, truncated).tolist()
        assert set(paid) >= {0.0, 0.25}
        assert all(one in (0, 0.25, 0.5, 0.75, 1) for one in paid)

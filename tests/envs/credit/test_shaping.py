"""What a batch's achievements pay, against credit worked by hand for two environments."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from calm.credit import CreditMode
from calm.errors import UsageError
from calm.records import Subgoal
from envs.credit.shaping import BatchCredit

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

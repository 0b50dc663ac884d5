"""Noise is fitted to a short play (tests/envs/credit tests its fit); a run trained once."""

from collections.abc import Iterator
from functools import cache

import pytest

from calm.records import Subgoal
from envs.truth.reference_play import Frequencies, frequencies
from tests.support.small_run import run, trained_once

__all__ = ["run", "trained_once"]


@cache
def _short_reference(
    task_id: str, subgoals: tuple[Subgoal, ...], descriptions: int = 1
) -> Frequencies:
    return frequencies(task_id, subgoals, 1, steps=300, seed=0, descriptions=descriptions)


@pytest.fixture(autouse=True)
def _fitted_to_a_short_play() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:  # a test's own is undone before its fixtures end
        patch.setattr("envs.credit.noisy.reference", _short_reference)
        yield

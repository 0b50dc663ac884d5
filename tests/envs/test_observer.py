"""Which names a batch's actions have: those that are passed, the engine's, or the task's."""

from types import SimpleNamespace

import pytest

from calm.errors import UsageError
from envs.observer import names_of_actions

KEYROOM = "MiniHack-KeyRoom-S5-v0"


def test_names_are_taken_from_the_nearest_source() -> None:
    plain = SimpleNamespace(arrays={})
    assert names_of_actions(KEYROOM, plain, None)[-1] == "apply"
    engine = SimpleNamespace(arrays={}, rules=SimpleNamespace(actions=("eat", "wait")))
    assert names_of_actions(KEYROOM, engine, None) == ("eat", "wait")
    assert names_of_actions(KEYROOM, engine, ("sit",)) == ("sit",)


def test_a_batch_with_another_number_of_actions_is_refused() -> None:
    batch = SimpleNamespace(arrays={}, n_actions=3)
    with pytest.raises(UsageError, match=f"has 3 actions and {KEYROOM} names 10"):
        names_of_actions(KEYROOM, batch, None)

"""Lists of subgoals, each under the hash of its content."""

import pytest

from calm.records import Subgoal, subgoals_hash
from calm.store.store import Store

ONE = (Subgoal("a", "A."), Subgoal("b", "B."))


def test_a_list_is_kept_once_and_the_newest_comes_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists, clock = store.tables.subgoal_lists, iter(range(10))
    monkeypatch.setattr("calm.store.tables.subgoal_lists.time.time", lambda: next(clock))
    name = lists.add("T", ONE, "given")
    assert name == subgoals_hash(ONE)
    assert lists.add("T", ONE, "openai:m") == name
    turned = lists.add("T", ONE[::-1], "openai:m")
    other = lists.add("U", ONE[:1], "edited")
    assert lists.count() == 3
    assert list(lists.lists()) == [other, turned, name]
    assert lists.lists("T") == {turned: ONE[::-1], name: ONE}

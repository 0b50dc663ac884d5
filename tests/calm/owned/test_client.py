"""What asks through an owner gets what it would have had by itself, and all is asked once."""

from pathlib import Path

import pytest

from calm.errors import StoreError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.owned.client import OwnerStore, open_store
from calm.records import Task, Transition
from tests.support.questions_owner import owner_of, through_owner


def test_a_store_that_an_owner_filled_is_the_one_that_a_file_would_be(
    task: Task,
    transitions: list[Transition],
    rules: dict[str, tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Loopback(rules) as server:
        with owner_of(server, tmp_path / "s.sqlite", monkeypatch):
            through_owner().judge(task, task.subgoals, transitions)
            with open_store("elsewhere.sqlite") as store:
                assert isinstance(store, OwnerStore)
                replayed = make_judge("replay:m", store=store)
                by_owner = replayed.judge(task, task.subgoals, transitions)
        with open_store(tmp_path / "s.sqlite") as store:
            assert not isinstance(store, OwnerStore)
            by_file = make_judge("replay:m", store=store)
            assert by_file.judge(task, task.subgoals, transitions) == by_owner
            judge = make_judge("openai:m", base_url=server.url, store=store)
            judge.judge(task, task.subgoals, transitions)
        assert server.requests == 7


def test_what_is_of_the_file_is_refused_with_where_to_go(
    rules: dict[str, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(rules) as server, owner_of(server, None, monkeypatch), open_store(None) as store:
        with pytest.raises(StoreError, match="held by the owner at http://127"):
            _ = store.tables
        assert store.answers([b"\0" * 32]) == {}
        assert store.models() == []

"""A store is read in portions, and comes to the same as all at once."""

from pathlib import Path

import pytest

from agents.watch import opened_store as module
from agents.watch.opened_store import OpenedStore, file_of
from calm.errors import StoreError
from calm.store.store import Store
from tests.support.watched import NAMES, TASK, TEXTS, answer, context_of, write_store


def test_calls_are_summed_up_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.sqlite"
    write_store(path)
    with Store(path, readonly=True) as store:
        whole, parts = (OpenedStore(store, file_of(path)) for _ in range(2))
        assert whole.look()
        assert (whole.last_call, whole.calls) == (6, 6)
        monkeypatch.setattr(module, "CALLS", 4)
        assert parts.look()
        assert (parts.last_call, parts.calls) == (4, 6)
        assert parts.models["small"].attempts + parts.models["large"].attempts == 4
        assert parts.look()
        assert parts.models == whole.models
        assert whole.models["large"].prompt_tokens == 300


def test_a_look_says_whether_there_is_anything_new(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    write_store(path)
    with Store(path, readonly=True) as store, Store(path) as writer:
        opened = OpenedStore(store, file_of(path))
        assert [opened.look(), opened.look()] == [True, False]
        answer(writer, context_of("third"), TEXTS[0], (1, 0))
        assert opened.look()
        assert opened.models["third"].questions == 1


def test_classes_and_choices_are_those_of_its_answers(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    write_store(path)
    with Store(path, readonly=True) as store:
        opened = OpenedStore(store, file_of(path))
        opened.look()
        assert [(of["model"], of["answers"], of["verdicts"]) for of in opened.classes()] == [
            ("large", 3, {"ok": 3}),
            ("small", 3, {"ok": 2, "invalid": 1}),
        ]
        choices = opened.choices()
    assert choices["subgoal"] == sorted(NAMES)
    assert (choices["task"], choices["model"]) == ([TASK.id], ["large", "small"])


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"can't read the store .*No such file"):
        file_of(tmp_path / "none.sqlite")

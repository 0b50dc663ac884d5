"""Subgoals that a model names: checked, kept under their hash, editable, found again."""

import json
from pathlib import Path

import pytest

from calm.decompose import check_subgoals, decompose, find_subgoals, read_subgoals, write_subgoals
from calm.errors import CalmError, UsageError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.records import Subgoal, Task, subgoals_hash
from calm.store.store import Store

NAMED = [("come near the key", "The key is next to the hero."), ("pick up the key", "It is taken.")]
FOUND = tuple(Subgoal(*n) for n in NAMED)
BARE = Task("Room-v0", "Find the stairs.")


def _listed(*names: str) -> list[dict[str, str]]:
    return [{"name": n, "definition": "The step shows it."} for n in names]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("prose", "got no list"),
        (_listed("one"), "got 1"),
        (_listed(*(f"do thing {i}" for i in range(9))), "got 9"),
        (_listed("go up", "Go up."), "named twice: go up"),
        (_listed("take the key and open the door", "b"), "more than one thing"),
        (_listed("a", "find a door or corridor"), "subgoal 2 names more than one thing"),
        (_listed("a", "x " * 50), "short line"),
        (_listed("a", "b\nc"), "short line"),
        (_listed("a", "  "), "not empty"),
        ([{"name": "a"}, {"name": "b", "definition": "x."}], "subgoal 1 must have"),
        ([{"name": "a", "definition": 3}, {"name": "b", "definition": "x."}], "must be text"),
        ([{"name": "a", "definition": "One. Two."}, *_listed("b")], "one sentence"),
    ],
)
def test_what_is_no_list_of_checkable_subgoals_is_refused(value: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_subgoals(value)


def test_names_that_only_look_compound_pass() -> None:
    assert check_subgoals(_listed("reach the sandy floor", "pass the orc's door"))


def test_a_model_is_asked_once_and_its_list_kept(store: Store) -> None:
    with Loopback(subgoals=NAMED) as server:
        judge = make_judge("openai:m", base_url=server.url, store=store)
        assert decompose(BARE, judge, store) == FOUND
        assert decompose(BARE, judge, store) == FOUND
        assert server.requests == 1
    assert store.subgoal_sets("Room-v0") == {subgoals_hash(FOUND): FOUND}


def test_an_unusable_answer_is_asked_again_as_a_new_sample(store: Store) -> None:
    answers = iter(["prose", '{"subgoals": []}', json.dumps({"subgoals": _listed("a", "b")})])
    with Loopback(answer=lambda body: next(answers)) as server:
        judge = make_judge("openai:m", base_url=server.url, store=store)
        assert [s.name for s in decompose(BARE, judge)] == ["a", "b"]
        assert [b["temperature"] for b in server.bodies] == [0, 0.7, 0.7]
        assert [s.name for s in decompose(BARE, judge)] == ["a", "b"]
        assert server.requests == 3


def test_a_model_that_never_names_any_is_an_error_that_says_what_to_do(store: Store) -> None:
    with Loopback(answer=lambda body: "I would rather not.") as server:
        judge = make_judge("openai:m", base_url=server.url, store=store)
        with pytest.raises(CalmError, match=r"3 answers.*--subgoals given") as failed:
            decompose(BARE, judge)
    assert failed.value.exit_code == 1  # nothing typed was wrong


def test_a_judge_without_a_model_gets_the_given_ones(task: Task, rules: dict) -> None:
    judge = make_judge("rules", rules=rules)
    assert decompose(task, judge) == task.subgoals
    with pytest.raises(UsageError, match="no given subgoals"):
        decompose(BARE, judge)


@pytest.mark.parametrize("name", ["s.yaml", "s.json"])
def test_a_list_is_written_edited_and_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_subgoals(path, "Room-v0", FOUND)
    assert read_subgoals(path) == FOUND
    path.write_text(path.read_text().replace("come near the key", "spot the key"))
    assert [s.name for s in read_subgoals(path)] == ["spot the key", "pick up the key"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("task: x", "no field `subgoals`"), ("[1", "can't read"), ("subgoals: [1, 2]", "subgoal 1")],
)
def test_a_broken_file_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_subgoals(tmp_path / "s.yaml")


def test_subgoals_are_found_by_given_file_or_hash(tmp_path: Path, task: Task, store: Store) -> None:
    write_subgoals(tmp_path / "s.yaml", task.id, FOUND)
    name = store.keep_subgoals(task.id, FOUND, "openai:m")
    assert find_subgoals("given", task) == task.subgoals
    assert find_subgoals(str(tmp_path / "s.yaml"), task) == FOUND
    assert find_subgoals(name[:8], task, store) == FOUND
    with pytest.raises(UsageError, match=name[:12]):
        find_subgoals("ffffffffff", task, store)
    with pytest.raises(UsageError, match="calm decompose"):
        find_subgoals("given", BARE)

"""Lists of subgoals: checked, written, edited, read and found by their hash."""

from dataclasses import replace
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.records import Subgoal, Task, subgoals_hash
from calm.store.store import Store
from calm.subgoals import check_subgoals, find_subgoals, read_subgoals, write_subgoals

NAMED = [("come near the key", "The key is next to the hero."), ("pick up the key", "It is taken.")]
FOUND = tuple(Subgoal(*n) for n in NAMED)
BARE = Task("Room-v0", "Find the stairs.")


def _listed(*names: str) -> list[dict[str, str]]:
    return [{"name": n, "definition": "The step shows it."} for n in names]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("prose", "got no list"),
        (_listed("one"), "got 1"),
        (_listed(*(f"do thing {i}" for i in range(9))), "got 9"),
        (_listed("go up", "Go up."), "named twice: go up"),
        (_listed("take the key and open the door", "b"), "more than one thing"),
        (_listed("a", "find a door or corridor"), "subgoal 2 names more than one thing"),
        (_listed("a", "x " * 50), "short line"),
        (_listed("a", "b\nc"), "short line"),
        (_listed("a", "  "), "subgoal 2: its name must be text, not '  '"),
        ([{"name": "a"}, {"name": "b", "definition": "x."}], "subgoal 1 must have"),
        ([{"name": "a", "definition": 3}, {"name": "b", "definition": "x."}], "must be text"),
        ([{"name": "a", "definition": "One. Two."}, *_listed("b")], "one sentence"),
    ],
)
def test_what_is_no_list_of_checkable_subgoals_is_refused(value: object, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        check_subgoals(value)


def test_names_that_only_look_compound_pass() -> None:
    assert check_subgoals(_listed("reach the sandy floor", "pass the orc's door"))


@pytest.mark.parametrize("name", ["s.yaml", "s.json"])
def test_a_list_is_written_edited_and_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_subgoals(path, "Room-v0", FOUND)
    assert read_subgoals(path) == FOUND
    path.write_text(path.read_text().replace("come near the key", "spot the key"))
    assert [s.name for s in read_subgoals(path)] == ["spot the key", "pick up the key"]


@pytest.mark.parametrize("name", ["s.yaml", "s.json"])
def test_statements_are_written_and_read_and_come_from_no_model(tmp_path: Path, name: str) -> None:
    stated = (FOUND[0], Subgoal(*NAMED[1], ("the key is taken", "the hero has it")))
    write_subgoals(tmp_path / name, "Room-v0", stated)
    read = read_subgoals(tmp_path / name)
    assert [s.statements for s in read] == [(), ("the key is taken", "the hero has it")]
    with pytest.raises(UsageError, match="nothing else"):
        check_subgoals([{"name": n, "definition": d, "statements": []} for n, d in NAMED])
    for wrong, reason in (
        ("prose", "list of text"),
        (["a\nb"], "one clause"),
        ([""], "one clause"),
    ):
        value = [{"name": n, "definition": d, "statements": wrong} for n, d in NAMED]
        with pytest.raises(UsageError, match=f"subgoal 1: .*{reason}"):
            check_subgoals(value, by_hand=True)


@pytest.mark.parametrize("name", ["s.yaml", "s.json"])
def test_how_often_is_written_and_read_and_changes_no_hash(tmp_path: Path, name: str) -> None:
    counted = (replace(FOUND[0], times=6), FOUND[1])
    assert counted == FOUND
    assert subgoals_hash(counted) == subgoals_hash(FOUND)
    write_subgoals(tmp_path / name, "Room-v0", counted)
    assert [s.times for s in read_subgoals(tmp_path / name)] == [6, 1]
    for wrong in (0, 101, 1.5, True, "twice"):
        value = [{"name": n, "definition": d, "times": wrong} for n, d in NAMED]
        with pytest.raises(UsageError, match="subgoal 1: times must be a whole number from 1"):
            check_subgoals(value, by_hand=True)
        with pytest.raises(UsageError, match="nothing else; it has"):
            check_subgoals(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("task: x", "no field `subgoals`"), ("[1", "can't read"), ("subgoals: [1, 2]", "subgoal 1")],
)
def test_a_broken_file_says_what_is_wrong(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(UsageError, match=reason):
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


def test_a_task_has_its_own_times_where_another_asks_the_same(tmp_path: Path) -> None:
    often, once = (replace(BARE, subgoals=(replace(FOUND[0], times=n), FOUND[1])) for n in (16, 1))
    name = subgoals_hash(FOUND)
    with Store(tmp_path / "s.sqlite") as store:
        store.keep_subgoals(BARE.id, often.subgoals, "me")
        assert [s.times for s in find_subgoals(name, once, store)] == [1, 1]
        assert [s.times for s in find_subgoals(name, often, store)] == [16, 1]
        assert [s.times for s in find_subgoals(name, BARE, store)] == [16, 1]

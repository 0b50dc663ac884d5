"""Which file of discovered subgoals is about which task, and how they are matched."""

from __future__ import annotations

from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.records import Subgoal, Task
from calm.store.store import Store
from calm.subgoals import write_subgoals
from data.evaluation.discovered import match_all, read_discovered, read_overrule

KEY, DOOR, STAIRS = (Subgoal(n, ".") for n in ("take the key", "open the door", "reach the stairs"))
FOUND = {
    "MiniHack-A-v0": (Subgoal("get the key", "It is held."), Subgoal("feel fine", "It does.")),
    "MiniHack-B-v0": (Subgoal("go to the stairs", "It is."), Subgoal("feel fine", "It does.")),
}
TASKS = {
    "MiniHack-A-v0": Task("MiniHack-A-v0", "win", (KEY, DOOR)),
    "MiniHack-B-v0": Task("MiniHack-B-v0", "win", (STAIRS, DOOR)),
}


def files(folder: Path) -> list[str]:
    for task, subgoals in FOUND.items():
        write_subgoals(folder / f"{task}.yaml", task, subgoals)
    return [str(folder / f"{task}.yaml") for task in FOUND]


def test_each_file_says_its_task(tmp_path: Path) -> None:
    a, b = files(tmp_path)
    assert read_discovered([b, a], TASKS) == FOUND
    # By hand it is about whatever it is said to be about.
    assert read_discovered([f"A={b}", f"MiniHack-B-v0={a}"], TASKS) == {
        "MiniHack-A-v0": FOUND["MiniHack-B-v0"],
        "MiniHack-B-v0": FOUND["MiniHack-A-v0"],
    }


def test_a_list_in_the_store_is_named_by_its_hash(tmp_path: Path) -> None:
    _, b = files(tmp_path)
    with Store() as store:
        name = store.keep_subgoals("MiniHack-A-v0", FOUND["MiniHack-A-v0"], "openai:m")
        assert read_discovered([name[:6], b], TASKS, store) == FOUND
        with pytest.raises(UsageError, match=name[:3]):
            read_discovered([name[:3], b], TASKS, store)


def test_a_file_without_a_task_is_for_the_rest(tmp_path: Path) -> None:
    a, _ = files(tmp_path)
    (tmp_path / "any.json").write_text(
        '[{"name": "one", "definition": "It is."}, {"name": "two", "definition": "It is."}]'
    )
    by_task = read_discovered([str(tmp_path / "any.json"), a], TASKS)
    assert [s.name for s in by_task["MiniHack-B-v0"]] == ["one", "two"]
    assert by_task["MiniHack-A-v0"] == FOUND["MiniHack-A-v0"]


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    a, b = files(tmp_path)
    with pytest.raises(UsageError, match="no discovered subgoals for MiniHack-B-v0: add"):
        read_discovered([a], TASKS)
    with pytest.raises(UsageError, match="a second file of subgoals for MiniHack-A-v0"):
        read_discovered([a, f"A={b}"], TASKS)
    with pytest.raises(UsageError, match="unknown task of this set 'C'"):
        read_discovered([f"C={a}", b], TASKS)
    with pytest.raises(UsageError, match="unknown task of this set 'MiniHack-B-v0'"):
        read_discovered([a, b], ["MiniHack-A-v0"])
    with pytest.raises(UsageError, match="can't read the subgoals"):
        read_discovered([str(tmp_path / "no.yaml")], TASKS)


def test_matching_is_overruled_for_all_tasks_or_for_one(tmp_path: Path) -> None:
    path = tmp_path / "match.json"
    plain = {t: m.of for t, m in match_all(TASKS, FOUND, {}).items()}
    assert plain == {
        "MiniHack-A-v0": {"get the key": "take the key", "feel fine": None},
        "MiniHack-B-v0": {"go to the stairs": "reach the stairs", "feel fine": None},
    }
    path.write_text('{"feel fine": "open the door", "get the key": null}')
    both = match_all(TASKS, FOUND, read_overrule(path))
    assert [m.of["feel fine"] for m in both.values()] == ["open the door"] * 2
    assert both["MiniHack-A-v0"].of["get the key"] is None
    path.write_text('{"B": {"feel fine": "open the door"}}')
    one = match_all(TASKS, FOUND, read_overrule(path))
    assert [m.of["feel fine"] for m in one.values()] == [None, "open the door"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1]", "expected"),
        ('{"a": 1}', "expected"),
        ('{"A": {"a": 1}}', "expected"),
        ("{", "can't read what overrules the matching in .*json: line 1"),
        ("[" * 99999, "too deep"),
        ('{"feel good": null}', "unknown discovered subgoal 'feel good': did you mean 'feel fine'"),
        ('{"C": {"feel fine": null}}', "unknown task of this set 'C'"),
        ('{"A": {"go to the stairs": null}}', "unknown discovered subgoal"),
    ],
)
def test_what_cannot_overrule_is_told(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "match.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=reason):
        match_all(TASKS, FOUND, read_overrule(path))

"""Answers move between people: exported, checked, imported, replayed the same."""

import json
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.records import Subgoal, Task, Transition
from calm.store.store import Store
from data.store_export import export_store, import_store

TASK = Task("T", "Go.", (Subgoal("even", "It is even."), Subgoal("seven", "It is 7.")))
RULES = {"even": (r"\d*[02468]\.",), "seven": (r"7\.",)}
MANY = [Transition("T", {"events": f"It is {i}."}, "") for i in range(11)]


def _bought(path: Path, **options: int) -> Store:
    store = Store(path)
    with Loopback(RULES, script=["prose", "500"]) as server:
        judge = make_judge("openai:m", base_url=server.url, store=store, backoff=0.01, **options)
        judge.judge(TASK, TASK.subgoals, MANY)
    return store


@pytest.mark.parametrize("options", [{}, {"per_request": 3}, {"samples": 2}])
def test_what_is_imported_replays_as_it_was_bought(tmp_path: Path, options: dict[str, int]) -> None:
    with _bought(tmp_path / "a.sqlite", **options) as store:
        manifest = export_store(store, tmp_path / "out")
        before = make_judge("replay:m", store=store).judge(TASK, TASK.subgoals, MANY)
    assert manifest["answers"] == 11 * options.get("samples", 1)
    assert manifest["models"] == ["m"]
    with Store(tmp_path / "b.sqlite") as other:
        assert import_store(tmp_path / "out", other) == (manifest["answers"], 0)
        assert import_store(tmp_path / "out", other) == (0, manifest["answers"])
        after = make_judge("replay:m", store=other).judge(TASK, TASK.subgoals, MANY)
    assert [(j.verdict, j.achieved, j.raw) for j in after] == [
        (j.verdict, j.achieved, j.raw) for j in before
    ]


def test_a_live_run_goes_on_from_imported_answers(tmp_path: Path) -> None:
    with _bought(tmp_path / "a.sqlite") as store:
        export_store(store, tmp_path / "out")
    with Store(tmp_path / "b.sqlite") as other, Loopback(RULES) as server:
        import_store(tmp_path / "out", other)
        judge = make_judge("openai:m", base_url=server.url, store=other)
        more = [*MANY, Transition("T", {"events": "It is new."}, "")]
        judge.judge(TASK, TASK.subgoals, more)
        assert server.requests == 1


def test_names_that_a_terminal_would_obey_are_not_taken_in(tmp_path: Path) -> None:
    judge = f"openai:{chr(27)}[2Jm"
    with Store(tmp_path / "a.sqlite") as store, Loopback(RULES) as server:
        make_judge(judge, base_url=server.url, store=store).judge(TASK, TASK.subgoals, MANY)
        export_store(store, tmp_path / "out")
    with Store() as other, pytest.raises(UsageError, match="holds control characters"):
        import_store(tmp_path / "out", other)


def test_what_was_changed_or_is_no_export_is_refused(tmp_path: Path) -> None:
    with _bought(tmp_path / "a.sqlite") as store:
        export_store(store, tmp_path / "out")
        with pytest.raises(UsageError, match="holds an export already"):
            export_store(store, tmp_path / "out")
    with Store() as other:
        manifest = tmp_path / "out" / "manifest.json"
        value = json.loads(manifest.read_text())
        with (tmp_path / "out" / "answers.parquet").open("ab") as file:
            file.write(b"x")
        with pytest.raises(UsageError, match="sha-256"):
            import_store(tmp_path / "out", other)
        manifest.write_text(json.dumps(value | {"schema_version": 99}))
        with pytest.raises(UsageError, match="schema 99"):
            import_store(tmp_path / "out", other)
        manifest.write_text("{}")
        with pytest.raises(UsageError, match="no export"):
            import_store(tmp_path / "out", other)
        with pytest.raises(UsageError, match="no export"):
            import_store(tmp_path / "absent", other)
        assert other.database.query("SELECT count(*) FROM answers") == [(0,)]


def test_log_probabilities_travel_with_the_answers(tmp_path: Path) -> None:
    from calm.judges import make_judge
    from calm.loopback import Loopback
    from calm.records import Subgoal, Task, Transition
    from tests.support.loopback_judge import judge_of

    task = Task("Room-v0", "Go.", (Subgoal("go", "It goes."),))
    steps = [Transition(task.id, {"events": f"step {i}"}, "") for i in range(2)]
    with Loopback({"go": ["step 1"]}, logprobs=True) as server, Store(tmp_path / "a") as store:
        judged = judge_of(server, store=store, logprobs=True).judge(task, task.subgoals, steps)
        export_store(store, tmp_path / "export")
    with Store(tmp_path / "b") as other:
        import_store(tmp_path / "export", other)
        replay = make_judge("replay", store=other).judge(task, task.subgoals, steps)
    for ours, theirs in zip(judged, replay, strict=True):
        assert theirs.confidence == pytest.approx(ours.confidence, abs=1e-4)

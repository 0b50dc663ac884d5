"""A model on this machine as a judge; a stand-in holds the weights, the processes are real."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calm.errors import EndpointError, UsageError
from calm.judges import asks_model, make_judge
from calm.judges.local import LocalJudge, best_form
from calm.local.registry import BestForm, KnownModel
from calm.local.weights import weights_at
from calm.records import Task, Transition, Verdict
from calm.store.store import Store
from tests.support.processes import eventually, running
from tests.support.standin import certain_keeper, processes_of, standin
from tests.support.tiny_gguf import write_gguf


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("CALM_MODELS", str(tmp_path / "models"))
    # With a key and an address of the outside at hand, neither is used.
    monkeypatch.setenv("OPENAI_BASE_URL", "http://192.0.2.1/v1")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "m.gguf")


@pytest.fixture
def judges(monkeypatch: pytest.MonkeyPatch, model: Path) -> Iterator[Any]:
    made: list[LocalJudge] = []

    def judge(behaviour: str = "well", **options: Any) -> LocalJudge:
        monkeypatch.setattr("calm.local.lease.SERVER", standin(behaviour))
        monkeypatch.setattr("calm.judges.local.SERVING", "json")  # a module that is always there
        options = {"threads": 1, "backoff": 0.05} | options
        one = make_judge(f"local:{model}", **options)
        assert isinstance(one, LocalJudge)
        made.append(one)
        return one

    yield judge
    for one in made:
        one.close()


def many(n: int) -> list[Transition]:
    return [Transition("Room-v0", {"events": f"Step {i}."}, "") for i in range(n)]


def test_it_is_asked_as_any_endpoint_and_kept_under_its_weights_hash(
    judges: Any, task: Task, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store() as store:
        judge = judges(store=store)
        assert judge.name == f"local:{model}"
        assert judge.model == f"local:{weights_at(model).id}"
        assert not judge.lease.alive()  # nobody has asked yet
        (judged,) = judge.judge(task, task.subgoals, many(1))
        assert judged.verdict is Verdict.OK
        assert judged.achieved == {"pick up the key": True, "open the door": True}
        assert judged.usage.completion_tokens == 7
        assert judge.usage.cost == 0
        assert store.paid(judge.context(task, task.subgoals)).requests == 1
        pids = processes_of(judge.lease)
        judge.close()
        assert eventually(lambda: not any(running(pid) for pid in pids))
        # What was answered is answered again with no server at all.
        again = judges("no-load", store=store)
        assert again.judge(task, task.subgoals, many(1))[0].achieved == judged.achieved
        assert not again.lease.alive()
        replayed = make_judge(f"replay:{judge.model}", store=store)
        assert replayed.judge(task, task.subgoals, many(1))[0].achieved == judged.achieved
    stderr = capsys.readouterr().err
    assert "loading tiny-model-3@" in stderr
    assert "is ready after" in stderr


def test_a_model_that_judges_better_in_another_form_says_so_once(
    judges: Any, task: Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    best = BestForm("lines", {"*": 0.72}, "MCC .98")
    known = KnownModel("any", "Any", "mit", 1, "0", best=best)
    monkeypatch.setattr("calm.judges.local.known_weights", lambda sha256: known)
    judge = judges()
    assert "judges better" not in capsys.readouterr().err  # nobody has been asked
    for i in (1, 2):
        judge.judge(task, task.subgoals, many(i))
    line = "is asked in booleans; it judges better with --form lines --thresholds 0.72: MCC .98"
    assert capsys.readouterr().err.count(line) == 1
    named = judges(form="booleans")
    named.judge(task, task.subgoals, many(1))
    assert "judges better" not in capsys.readouterr().err


def test_the_best_form_is_that_of_the_weights_whatever_they_are_called(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert best_form(f"local:{model}") is None
    best = BestForm("lines", {"*": 0.72}, "MCC .98")
    known = {weights_at(model).sha256: KnownModel("any", "Any", "mit", 1, "0", best=best)}
    monkeypatch.setattr("calm.judges.local.known_weights", known.get)
    assert best_form(f"local:{model}") is best
    assert best_form(f"local:{model}", "screen") is None  # lines are of events alone
    assert best_form("openai:m") is None
    assert best_form("rules") is None


def test_a_server_that_dies_under_questions_loses_none(judges: Any, task: Task) -> None:
    judge = judges("dies", concurrency=1)
    judged = judge.judge(task, task.subgoals, many(7))
    assert [j.verdict for j in judged] == [Verdict.OK] * 7


def test_a_server_that_keeps_dying_stops_the_work_and_keeps_what_came(
    judges: Any, task: Task
) -> None:
    with Store() as store:
        judge = judges("dies", concurrency=1, store=store)
        with pytest.raises(EndpointError, match=r"died 3 times.*out of something"):
            judge.judge(task, task.subgoals, many(30))
        assert sum(j is not None for j in judge.recall(task, task.subgoals, many(30))) == 9


def test_a_server_that_hangs_is_replaced(
    judges: Any, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calm.local.lease.HANG_SECONDS", 1.0)
    monkeypatch.setattr("calm.local.lease.KEEPER", certain_keeper())
    lines: list[str] = []
    monkeypatch.setattr("calm.judges.local.say", lines.append)
    judge = judges("deaf", concurrency=1, timeout=60.0)
    judged = judge.judge(task, task.subgoals, many(2))
    assert [j.verdict for j in judged] == [Verdict.OK] * 2
    assert any("hung: no word from it" in line for line in lines), lines


def test_weights_that_do_not_load_end_the_work(judges: Any, task: Task) -> None:
    with pytest.raises(EndpointError, match="a tensor is missing"):
        judges("no-load").judge(task, task.subgoals, many(1))


def test_a_killed_keeper_is_no_loss_either(judges: Any, task: Task) -> None:
    judge = judges()
    judge.judge(task, task.subgoals, many(1))
    os.kill(processes_of(judge.lease)[0], signal.SIGKILL)
    judged = judge.judge(task, task.subgoals, many(3))
    assert [j.verdict for j in judged] == [Verdict.OK] * 3


def test_a_base_model_and_a_part_of_one_are_refused(tmp_path: Path) -> None:
    base = write_gguf(tmp_path / "base.gguf", **{"tokenizer.chat_template": None})
    with pytest.raises(UsageError, match="has no chat template: it is a base model"):
        make_judge(f"local:{base}")
    part = write_gguf(tmp_path / "part.gguf", **{"split.count": 2})
    with pytest.raises(UsageError, match="one of 2 files"):
        make_judge(f"local:{part}")


def test_options_that_make_no_sense_are_refused(model: Path) -> None:
    with pytest.raises(UsageError, match="no Batch API"):
        make_judge(f"local:{model}", batch=True)
    with pytest.raises(
        UsageError, match="option of a local judge 'thread': did you mean 'threads'"
    ):
        make_judge(f"local:{model}", thread=2)
    with pytest.raises(UsageError, match="name the model"):
        make_judge("local:")


def test_without_the_extra_it_says_which(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm.judges.local.SERVING", "no_such_module")
    with pytest.raises(UsageError, match=r"pip install 'calm-credit\[local\]'"):
        make_judge(f"local:{model}")


def test_specs_that_ask_a_model() -> None:
    assert asks_model("local:x.gguf")
    assert asks_model("openai:gpt")
    assert not any(map(asks_model, ("rules", "replay:local:x", "random")))

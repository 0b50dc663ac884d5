"""What is asked through an owner is answered, counted and limited as without one."""

from pathlib import Path

import pytest

from calm.annotation.many import annotate
from calm.decompose import decompose
from calm.endpoint.budget import Limits
from calm.errors import BudgetError, UsageError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.owned.client import open_store
from calm.records import Task, Transition, Verdict
from tests.support.questions_owner import by_itself, owner_of, through_owner

FORMS = ["booleans", "skeleton", "statements", "lines"]


@pytest.mark.parametrize("form", FORMS)
def test_judgements_are_those_of_a_judge_that_asks_by_itself(
    form: str,
    task: Task,
    transitions: list[Transition],
    rules: dict[str, tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Loopback(rules, logprobs=True) as server:
        alone = by_itself(server, form=form).judge(task, task.subgoals, transitions)
        requests = server.requests
        with owner_of(server, tmp_path / "s.sqlite", monkeypatch):
            judge = through_owner(form=form)
            judged = judge.judge(task, task.subgoals, transitions)
            assert server.requests == 2 * requests
            again = through_owner(form=form)
            assert again.judge(task, task.subgoals, transitions) == judged
            assert server.requests == 2 * requests
            assert (judge.usage.requests, again.usage.requests) == (requests, 0)
    expected = [(j.verdict, j.achieved, j.confidence, j.raw, j.reason) for j in alone]
    assert [(j.verdict, j.achieved, j.confidence, j.raw, j.reason) for j in judged] == expected
    assert judge.name == "openai:m"


def test_answers_that_no_frame_holds_come_in_parts(
    task: Task,
    transitions: list[Transition],
    rules: dict[str, tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("calm.owner.service.PART", 1)
    with Loopback(rules) as server:
        alone = by_itself(server).judge(task, task.subgoals, transitions)
        with owner_of(server, None, monkeypatch):
            for _ in range(2):
                judge = through_owner()
                judged = judge.judge(task, task.subgoals, transitions)
                assert [j.achieved for j in judged] == [j.achieved for j in alone]
            known = judge.recall(task, task.subgoals, transitions)
            assert [j and j.achieved for j in known] == [j.achieved for j in alone]


def test_a_summary_tells_hits_answers_and_cost_as_without_an_owner(
    task: Task,
    transitions: list[Transition],
    rules: dict[str, tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Loopback(rules, script=["500", "429"]) as server, owner_of(server, None, monkeypatch):
        summary = annotate(through_owner(), task, task.subgoals, transitions[:5]).summary
        assert (summary.questions, summary.hits, summary.asked) == (5, 0, 5)
        assert summary.verdicts == {"ok": 5}
        assert summary.failures == {"500": 1, "429": 1}
        summary = annotate(through_owner(), task, task.subgoals, transitions).summary
        assert (summary.questions, summary.hits, summary.asked) == (7, 5, 2)
        assert summary.usage.requests == 2
        assert summary.paid.requests == 9


def test_ask_again_asks_once_more_for_each_that_wants_it(
    task: Task,
    transitions: list[Transition],
    rules: dict[str, tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        Loopback(rules, script=["prose"]) as server,
        owner_of(server, None, monkeypatch),
    ):
        [first] = through_owner().judge(task, task.subgoals, transitions[:1])
        assert first.verdict is Verdict.INVALID
        judge = through_owner(again=(Verdict.INVALID,))
        [second] = judge.judge(task, task.subgoals, transitions[:1])
        [third] = through_owner().judge(task, task.subgoals, transitions[:1])
        assert (second.verdict, third) == (Verdict.OK, second)
        assert server.requests == 2


def test_a_limit_is_on_all_askers_together_and_only_the_owner_sets_it(
    task: Task,
    transitions: list[Transition],
    rules: dict[str, tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        Loopback(rules) as server,
        owner_of(server, None, monkeypatch, limits=Limits(requests=4)),
    ):
        through_owner().judge(task, task.subgoals, transitions[:3])
        with pytest.raises(BudgetError, match="limit of 4 requests"):
            make_judge("openai:n").judge(task, task.subgoals, transitions)
        assert server.requests == 4
        with pytest.raises(UsageError, match="calm owner serve"):
            through_owner(limits=Limits(cost=1.0))


def test_subgoals_are_named_once_for_all(
    task: Task, rules: dict[str, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    subgoals = [(s.name, s.definition) for s in task.subgoals] + [("rest", "The hero waits.")]
    with Loopback(rules, subgoals=subgoals) as server, owner_of(server, None, monkeypatch):
        first = decompose(task, through_owner())
        assert decompose(task, through_owner()) == first
        with open_store(None) as store:
            [named] = store.subgoal_sets(task.id).values()
        assert named == first
        assert server.requests == 1

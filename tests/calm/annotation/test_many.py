"""Annotating many transitions: a summary that adds up, a clean stop, and a plan that comes true."""

import doctest

import pytest

from calm.annotation import many
from calm.annotation.many import annotate
from calm.asking.tally import Tally
from calm.endpoint.budget import Limits
from calm.endpoint.pricing import Price
from calm.errors import BudgetError, EndpointError
from calm.judges import make_judge
from calm.judges.protocol import RemoteJudge
from calm.loopback import Loopback
from calm.records import Task, Transition, Usage, Verdict
from calm.store.store import Store


def test_a_summary_adds_up(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    steps: list[tuple[int, int]] = []

    def progress(tally: Tally, usage: Usage) -> None:
        steps.append((tally.hits + tally.answered, usage.requests))

    with Loopback(rules, script=["prose", "500"]) as server:
        judge = make_judge(
            "openai:m",
            base_url=server.url,
            store=store,
            backoff=0.01,
            price=Price(input=1, output=1),
        )
        judged, summary = annotate(judge, task, task.subgoals, transitions, progress=progress)
        again = annotate(judge, task, task.subgoals, transitions)
    assert len(judged) == summary.transitions == 12
    assert (summary.distinct, summary.questions, summary.hits, summary.asked) == (7, 7, 0, 7)
    assert sum(summary.verdicts.values()) == 12
    assert summary.verdicts["invalid"] == summary.unreadable >= 1
    assert summary.failures == {"500": 1}
    assert summary.usage.requests == 8
    assert summary.usage.cost
    assert steps[-1] == (7, 8)
    assert summary.paid.requests == 8
    assert summary.paid.cost == pytest.approx(summary.usage.cost)
    assert (again.summary.hits, again.summary.asked, again.summary.usage.requests) == (7, 0, 0)
    assert again.summary.paid == summary.paid
    assert again.judgements == judged


def test_a_judge_without_a_model_is_summed_up_too(
    task: Task, transitions: list[Transition], rules: dict
) -> None:
    _, summary = annotate(make_judge("rules", rules=rules), task, task.subgoals, transitions)
    assert summary.verdicts == {"ok": 12}
    assert summary.as_json()["stopped"] is None


@pytest.mark.parametrize(
    ("faults", "limits", "error"),
    [
        ({"401": 1.0}, Limits(), EndpointError),
        ({"quota": 1.0}, Limits(), BudgetError),
        ({}, Limits(requests=3), BudgetError),
    ],
)
def test_a_stop_keeps_what_is_answered_and_classes_the_rest(
    faults: dict, limits: Limits, error: type[Exception], task: Task,
    transitions: list[Transition], rules: dict, store: Store,
) -> None:  # fmt: skip
    with Loopback(rules, script=["", ""], faults=faults) as server:
        judge = make_judge(
            "openai:m", base_url=server.url, store=store, limits=limits, concurrency=1
        )
        judged, summary = annotate(judge, task, task.subgoals, transitions)
    assert isinstance(summary.stopped, error)
    assert len(judged) == 12
    assert {j.verdict for j in judged} == {Verdict.OK, Verdict.ERROR}
    assert summary.as_json()["stopped"]
    assert summary.unasked == sum(j.reason.startswith("not asked") for j in judged) > 0
    with Loopback(rules) as server:
        rest = make_judge("openai:m", base_url=server.url, store=store)
        done = annotate(rest, task, task.subgoals, transitions)
        assert done.summary.stopped is None
        assert server.requests == 7 - summary.asked


def test_a_plan_comes_true(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with Loopback(rules) as server:
        judge = make_judge(
            "openai:m", base_url=server.url, store=store, price=Price(input=1, output=2)
        )
        assert isinstance(judge, RemoteJudge)
        blind = judge.plan(task, task.subgoals, transitions)
        assert (blind.transitions, blind.questions, blind.stored, blind.new) == (12, 7, 0, 7)
        assert blind.seconds is None
        assert server.requests == 0
        annotate(judge, task, task.subgoals, transitions[:2])
        before = judge.usage
        estimate = judge.plan(task, task.subgoals, transitions)
        annotate(judge, task, task.subgoals, transitions)
    assert (estimate.stored, estimate.new, estimate.requests) == (2, 5, 5)
    assert estimate.paid == pytest.approx(before.cost)
    assert estimate.seconds is not None
    assert estimate.completion_tokens == pytest.approx(
        judge.usage.completion_tokens - before.completion_tokens, rel=0.2
    )
    assert estimate.prompt_tokens == pytest.approx(
        judge.usage.prompt_tokens - before.prompt_tokens, rel=0.5
    )
    assert estimate.cost == pytest.approx(
        (estimate.prompt_tokens + 2 * estimate.completion_tokens) / 1e6
    )


def test_the_progress_line_is_as_its_example_says() -> None:
    assert doctest.testmod(many).failed == 0

"""What questions would cost, before any is asked."""

import pytest

from calm.asking.estimate import Plan, sum_of
from calm.judges import make_judge
from calm.judges.openai import OpenAIJudge
from calm.loopback import Loopback
from calm.records import Task, Transition
from calm.store.store import Store


def _judge(store: Store, url: str = "http://127.0.0.1:9/v1", **options: object) -> OpenAIJudge:
    judge = make_judge("openai:m", base_url=url, store=store, **options)
    assert isinstance(judge, OpenAIJudge)
    return judge


def test_a_prompt_has_a_token_for_three_characters(
    task: Task, transitions: list[Transition], store: Store
) -> None:
    judge = _judge(store, samples=3, per_request=2)
    plan = judge.plan(task, task.subgoals, transitions)
    (item,) = judge.items(task, task.subgoals)
    texts = list(dict.fromkeys(t.texts["events"] for t in transitions))
    # Seven texts, two a request, by sample: 7 + 7 + 7 questions in groups of two.
    ordered = texts * 3
    groups = [ordered[i : i + 2] for i in range(0, 21, 2)]
    characters = sum(len(item.prompt.render(group)) for group in groups)
    assert (plan.transitions, plan.questions, plan.stored, plan.new) == (12, 21, 0, 21)
    assert (plan.requests, plan.prompt_tokens) == (11, characters // 3)
    assert plan.completion_tokens == 21 * 40
    assert (plan.cost, plan.seconds) == (None, None)
    judge.close()


def test_what_is_stored_is_not_asked_and_tells_how_long_the_rest_takes(
    task: Task, transitions: list[Transition], store: Store, rules: dict[str, tuple[str, ...]]
) -> None:
    with Loopback(rules) as server:
        judge = _judge(store, server.url)
        judge.judge(task, task.subgoals, transitions[:2])
        plan = judge.plan(task, task.subgoals, transitions)
        judge.close()
    calls, items, completion, seconds = store.answered_calls("m")
    assert (plan.stored, plan.new, plan.requests) == (2, 5, 5)
    assert (calls, items) == (2, 2)
    assert plan.completion_tokens == int(completion / 2 * 5)
    assert plan.seconds == pytest.approx(seconds / 2 * 5 / 5)  # five at once


def test_plans_of_items_add_up_and_what_one_does_not_know_nobody_does() -> None:
    one = Plan(5, 4, 1, 3, 3, 100, 30, 0.5, 0.25, 2.0)
    two = Plan(5, 6, 0, 6, 6, 200, 60, 1.0, None, 4.0)
    assert sum_of([one]) is one
    assert sum_of([one, two]) == Plan(5, 10, 1, 9, 9, 300, 90, 1.5, None, 6.0)

"""What a judge is, by what it can do."""

import asyncio

from calm.judges import make_judge
from calm.judges.baselines import Always
from calm.judges.protocol import Immediate, Judge, RemoteJudge
from calm.records import Task, Transition


def test_judges_are_told_apart_by_what_they_can_do() -> None:
    baseline, remote = Always(True), make_judge("openai:m", base_url="http://127.0.0.1:9/v1")
    assert isinstance(baseline, Judge)
    assert isinstance(remote, Judge)
    assert isinstance(remote, RemoteJudge)
    assert not isinstance(baseline, RemoteJudge)
    assert not isinstance(Immediate(), Judge)


def test_the_async_form_of_a_judge_without_waiting_is_its_answer(
    task: Task, transitions: list[Transition]
) -> None:
    judge = Always(False)
    answers = asyncio.run(judge.ajudge(task, task.subgoals, transitions))
    assert answers == judge.judge(task, task.subgoals, transitions)
    assert len(answers) == 12

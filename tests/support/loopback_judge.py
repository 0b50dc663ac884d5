"""A judge on a server of our own, and one transition put to it."""

from typing import Any

from calm.judges import make_judge
from calm.judges.openai import OpenAIJudge
from calm.loopback import Loopback
from calm.records import Task, Transition


def judge_of(server: Loopback, **options: Any) -> OpenAIJudge:
    """A judge that asks `server`, and soon again."""
    judge = make_judge("openai:m", base_url=server.url, **{"backoff": 0.01, **options})
    assert isinstance(judge, OpenAIJudge)
    return judge


def one(judge: OpenAIJudge, task: Task, text: str = "The key entered the inventory") -> Any:
    """What the judge makes of one transition."""
    (judged,) = judge.judge(task, task.subgoals, [Transition(task.id, {"events": text}, "")])
    return judged

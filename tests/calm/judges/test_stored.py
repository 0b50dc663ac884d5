"""Replaying what a model once answered."""

import pytest

from calm.errors import UsageError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.records import Task, Transition, Verdict
from calm.store.store import Store


def test_replay_remembers_and_asks_nobody(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with Loopback(rules) as server:
        judge = make_judge("openai:m", base_url=server.url, store=store)
        judged = judge.judge(task, task.subgoals, transitions[:5])
    for spec in ("replay", "replay:m"):
        replay = make_judge(spec, store=store)
        assert replay.name == "replay:m"
        replayed = replay.judge(task, task.subgoals, transitions[:7])
        assert replayed[:5] == judged
        assert [j.verdict for j in replayed[5:]] == [Verdict.ERROR] * 2
        other = replay.judge(task, task.subgoals[::-1], transitions[:1])
        assert [j.verdict for j in other] == [Verdict.ERROR]
    with pytest.raises(UsageError, match="m"):
        make_judge("replay:n", store=store)


def test_replay_needs_to_know_which_of_two_models(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with Loopback(rules) as server:
        for model in ("m", "n"):
            make_judge(f"openai:{model}", base_url=server.url, store=store).judge(
                task, task.subgoals, transitions
            )
    with pytest.raises(UsageError, match="replay:m, replay:n"):
        make_judge("replay", store=store)

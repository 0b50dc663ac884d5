"""Judges by name, those that need no model, and replaying what a model once said."""

import asyncio
import math

import pytest

from calm.annotation.live import Annotator
from calm.errors import EndpointError, UsageError
from calm.judges import make_judge
from calm.judges.protocol import Judge, RemoteJudge
from calm.loopback import Loopback
from calm.records import Subgoal, Task, Transition, Verdict
from calm.store.store import Store


@pytest.mark.parametrize("spec", ["rules", "always-yes", "always-no", "random", "random:0.25"])
def test_a_judge_is_built_from_its_name_and_named_by_it(spec: str) -> None:
    judge = make_judge(spec)
    assert isinstance(judge, Judge)
    assert judge.name == spec
    assert judge.mode == "events"


@pytest.mark.parametrize(
    ("spec", "said"),
    [("rule", "did you mean 'rules'"), ("oracle", "replay:MODEL"), ("random:x", "probability"),
     ("random:2", r"\[0, 1\]"), ("openai:", "name the model"), ("replay", "store")],
)  # fmt: skip
def test_a_wrong_name_says_what_would_be_right(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make_judge(spec)


def test_a_wrong_mode_or_option_names_the_valid() -> None:
    with pytest.raises(UsageError, match="crop, events, screen"):
        make_judge("rules", mode="sound")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="did you mean 'per_request'"):
        make_judge("openai:m", base_url="http://127.0.0.1:9/v1", per_requests=3)


@pytest.mark.parametrize("option", [{"timeout": math.nan}, {"deadline": math.nan}, {"timeout": 0}])
def test_times_are_positive_numbers(option: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="positive numbers of seconds"):
        make_judge("openai:m", base_url="http://127.0.0.1:9/v1", **option)


def test_a_judge_is_remote_if_it_asks_an_endpoint(store: Store) -> None:
    assert isinstance(make_judge("openai:m", base_url="http://127.0.0.1:9/v1"), RemoteJudge)
    assert not isinstance(make_judge("rules"), RemoteJudge)
    assert not isinstance(make_judge("random"), RemoteJudge)


def test_without_a_key_openai_itself_cannot_be_asked() -> None:
    with pytest.raises(EndpointError, match="OPENAI_API_KEY"):
        make_judge("openai:gpt-5-mini")


def test_always_says_the_same(task: Task, transitions: list[Transition]) -> None:
    yes = make_judge("always-yes").judge(task, task.subgoals, transitions)
    no = make_judge("always-no").judge(task, task.subgoals, transitions)
    assert [j.row(task.subgoals) for j in yes] == [[1, 1]] * 12
    assert [j.row(task.subgoals) for j in no] == [[0, 0]] * 12


def test_random_is_the_same_for_the_same_text_and_has_its_rate(task: Task) -> None:
    many = [Transition("T", {"events": f"event {i}"}, "") for i in range(4000)]
    rows = [
        j.row(task.subgoals) for j in make_judge("random:0.25").judge(task, task.subgoals, many)
    ]
    assert 0.23 < sum(map(sum, rows)) / 8000 < 0.27
    backwards = make_judge("random:0.25").judge(task, task.subgoals, many[::-1])
    assert [j.row(task.subgoals) for j in backwards] == rows[::-1]
    other = make_judge("random:0.25", seed=1).judge(task, task.subgoals, many)
    assert [j.row(task.subgoals) for j in other] != rows


def test_random_tells_transitions_apart_that_read_the_same(task: Task) -> None:
    seen = [Transition("T", {"events": "north", "screen": str(i)}, "") for i in range(2000)]
    rows = [j.row(task.subgoals) for j in make_judge("random").judge(task, task.subgoals, seen)]
    assert 0.47 < sum(map(sum, rows)) / 4000 < 0.53
    assert (
        make_judge("random").judge(task, task.subgoals, seen[7:8])[0].row(task.subgoals) == rows[7]
    )


def test_random_answers_a_text_alone_as_often_as_asked_the_same(task: Task) -> None:
    annotator = Annotator(make_judge("random"), task)
    first = annotator.judge_texts(["a", "b", "c", "d", "e"])
    again = Annotator(make_judge("random"), task).judge_texts(["e", "d", "c", "b", "a"])
    assert again[::-1].tolist() == first.tolist()


def test_rules_read_the_text(task: Task, transitions: list[Transition], rules: dict) -> None:
    judged = make_judge("rules", rules=rules).judge(task, task.subgoals, transitions)
    expected = [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0], [1, 0], [0, 0]]
    expected += [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0]]
    assert [j.row(task.subgoals) for j in judged] == expected
    assert judged == asyncio.run(
        make_judge("rules", rules=rules).ajudge(task, task.subgoals, transitions)
    )


def test_a_subgoal_without_a_rule_is_refused_and_the_known_ones_named(rules: dict) -> None:
    judge = make_judge("rules", rules=rules)
    with pytest.raises(UsageError, match=r"'fly'.*open the door, pick up the key"):
        judge.judge(Task("T", ""), [Subgoal("fly", "It flies.")], [])


def test_a_rule_that_is_no_pattern_is_refused() -> None:
    with pytest.raises(UsageError, match="'a'"):
        make_judge("rules", rules={"a": ("(",)})


def test_a_model_is_asked_once_for_each_distinct_text(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with Loopback(rules) as server:
        judge = make_judge("openai:m", base_url=server.url, store=store)
        judged = judge.judge(task, task.subgoals, transitions)
        expected = make_judge("rules", rules=rules).judge(task, task.subgoals, transitions)
        assert [j.row(task.subgoals) for j in judged] == [j.row(task.subgoals) for j in expected]
        assert server.requests == 7
        again = make_judge("openai:m", base_url=server.url, store=store)
        assert again.judge(task, task.subgoals, transitions) == judged
        assert server.requests == 7
    body = server.bodies[0]
    assert body["temperature"] == 0
    assert body["response_format"]["json_schema"]["schema"]["required"] == [
        "pick up the key", "open the door",
    ]  # fmt: skip


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

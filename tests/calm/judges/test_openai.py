"""What a judge makes of an endpoint: parameters it refuses, confidence, shared requests, money."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from calm.asking.confidence import from_odds
from calm.endpoint.budget import Limits
from calm.endpoint.envelope import Reply, TokenOdds
from calm.errors import BudgetError, EndpointError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.loopback.faults import Wire
from calm.records import Task, Transition, Verdict
from calm.store.store import Store
from tests.support.loopback_judge import judge_of, one

KEY = "sk-planted-0123456789abcdef"


# --- what an endpoint can't do


@pytest.mark.parametrize(
    ("refuses", "gone"),
    [
        (("temperature",), {"temperature"}),
        (("temperature", "seed", "top_p"), {"temperature", "seed", "top_p"}),
        (("response_format",), {"response_format"}),
        (("logprobs",), {"logprobs", "top_logprobs"}),
    ],
)
def test_a_refused_parameter_is_left_out_from_then_on(
    refuses: tuple[str, ...], gone: set[str], task: Task, rules: dict
) -> None:
    with Loopback(rules, refuses=refuses) as server:
        judge = judge_of(server, extra={"seed": 1, "top_p": 0.9}, logprobs=True, concurrency=3)
        many = [Transition("T", {"events": f"{i}"}, "") for i in range(30)]
        judged = judge.judge(task, task.subgoals, many)
        assert {j.verdict for j in judged} == {Verdict.OK}
        assert not gone & set(server.bodies[-1])
        assert server.counts["ok"] == 30
        assert server.counts["refused"] <= 3 * 3  # at most once a parameter and worker
        server.counts.clear()
        other = make_judge("openai:m", base_url=server.url, store=judge.store,
                           extra={"seed": 2, "top_p": 0.9})  # fmt: skip
        assert other.judge(task, task.subgoals, many)[0].verdict is Verdict.OK
        assert server.counts["refused"] == 0


def test_max_tokens_goes_by_its_newer_name_where_the_older_is_refused(
    task: Task, rules: dict
) -> None:
    with Loopback(rules, refuses=("max_tokens",)) as server:
        assert one(judge_of(server), task).verdict is Verdict.OK
        assert server.bodies[-1]["max_completion_tokens"] == 1024


# --- confidence, samples, many in one request


def test_confidence_comes_from_logprobs_where_there_are_any(task: Task, rules: dict) -> None:
    with Loopback(rules, logprobs=True) as server:
        judged = one(judge_of(server, logprobs=True), task)
        assert judged.confidence == pytest.approx(
            {"pick up the key": 0.9, "open the door": 0.1}, abs=1e-3
        )
    with Loopback(rules) as server:
        assert one(judge_of(server, logprobs=True), task).confidence is None


def test_samples_vote_and_their_share_is_the_confidence(task: Task) -> None:
    replies = iter([True, False, True])

    def answer(body: Mapping[str, Any]) -> str:
        yes = "true" if next(replies) else "false"
        return f'{{"pick up the key": {yes}, "open the door": false}}'

    with Loopback(answer=answer) as server:
        judged = one(judge_of(server, samples=3, extra={"seed": 5}), task)
        assert judged.achieved == {"pick up the key": True, "open the door": False}
        assert judged.confidence == pytest.approx({"pick up the key": 2 / 3, "open the door": 0})
        assert sorted(b["seed"] for b in server.bodies) == [5, 6, 7]
        assert {b["temperature"] for b in server.bodies} == {0.7}


def test_many_transitions_share_a_request(
    task: Task, transitions: list[Transition], rules: dict
) -> None:
    with Loopback(rules) as server:
        judged = judge_of(server, per_request=3).judge(task, task.subgoals, transitions)
        alone = make_judge("rules", rules=rules).judge(task, task.subgoals, transitions)
        assert [j.achieved for j in judged] == [j.achieved for j in alone]
        assert server.requests == 3  # of 3, 3 and 1: seven distinct texts


def test_what_a_shared_request_cost_is_counted_once(
    task: Task, transitions: list[Transition], rules: dict
) -> None:
    with Loopback(rules) as server:
        judge = judge_of(server, per_request=3)
        bought = judge.judge(task, task.subgoals, transitions[:7])  # of distinct texts
        replayed = make_judge("replay:m", store=judge.store)
        again = replayed.judge(task, task.subgoals, transitions[:7])
    for judged in (bought, again):
        assert sum(j.usage.requests for j in judged) == 3
        tokens = sum(j.usage.prompt_tokens for j in judged)
        assert tokens == judge.usage.prompt_tokens > 0


def test_one_left_out_of_a_shared_answer_is_unreadable_and_the_others_count(
    task: Task, transitions: list[Transition], rules: dict
) -> None:
    with Loopback(rules, script=["missing-id"]) as server:
        judged = judge_of(server, per_request=7).judge(task, task.subgoals, transitions[:7])
        assert [j.verdict for j in judged] == [Verdict.OK] * 6 + [Verdict.INVALID]


def test_repair_works_on_what_was_bought_without_it_and_the_reverse(
    task: Task, rules: dict
) -> None:
    with Loopback(rules, script=["fence"]) as server:
        judge = judge_of(server)
        assert one(judge, task).verdict is Verdict.INVALID
        assert (
            one(judge_of(server, repair=True, store=judge.store), task).verdict is Verdict.REPAIRED
        )
        assert one(judge, task).verdict is Verdict.INVALID
        assert server.requests == 1


def test_chosen_classes_are_asked_again(task: Task, rules: dict) -> None:
    with Loopback(rules, script=["prose"]) as server:
        judge = judge_of(server)
        assert one(judge, task).verdict is Verdict.INVALID
        retry = judge_of(server, again=(Verdict.INVALID,), store=judge.store)
        assert one(retry, task).verdict is Verdict.OK
        assert one(judge, task).verdict is Verdict.OK
        assert server.requests == 2
    raws = [raw for (raw,) in judge.store.database.query("SELECT raw FROM calls ORDER BY id")]
    assert raws[0].startswith("Sure!")  # superseded, and still there


def test_what_stays_unreadable_is_asked_again_once_by_each_run(task: Task, rules: dict) -> None:
    with Loopback(rules, faults={"prose": 1.0}) as server:
        judge = judge_of(server)
        one(judge, task)
        retry = judge_of(server, again=(Verdict.INVALID, Verdict.TRUNCATED), store=judge.store)
        for _ in range(3):
            assert one(retry, task).verdict is Verdict.INVALID
        assert server.requests == 2
        assert retry.plan(task, task.subgoals, []).new == 0


def test_an_old_answer_stays_where_asking_again_comes_to_nothing(task: Task, rules: dict) -> None:
    with Loopback(rules, script=["prose", "401"]) as server:
        judge = judge_of(server)
        old = one(judge, task)
        retry = judge_of(server, again=(Verdict.INVALID,), store=judge.store)
        with pytest.raises(EndpointError):
            one(retry, task)
        assert one(judge, task) == old
        assert retry.recall(task, task.subgoals, [_the_key(task)]) == [old]
        assert server.requests == 2


def test_two_that_ask_again_share_the_work(task: Task, rules: dict) -> None:
    many = [Transition("T", {"events": f"{i}"}, "") for i in range(20)]
    with Loopback(rules, script=["prose"] * 20, latency=0.02) as server:
        judge = judge_of(server)
        judge.judge(task, task.subgoals, many)
        both = [judge_of(server, again=(Verdict.INVALID,), store=judge.store) for _ in range(2)]
        started = [b.loop.start(b.ajudge(task, task.subgoals, many)) for b in both]
        assert all(len(asking.result()) == 20 for asking in started)
        assert server.requests == 40
        assert {j.verdict for j in judge.judge(task, task.subgoals, many)} == {Verdict.OK}


def _the_key(task: Task) -> Transition:
    return Transition(task.id, {"events": "The key entered the inventory"}, "")


# --- money


def test_the_cost_of_every_attempt_is_counted(task: Task, rules: dict) -> None:
    from calm.endpoint.pricing import Price

    with Loopback(rules, script=["500", "429", "prose"]) as server:
        judge = judge_of(server, price=Price(input=1, output=1))
        judged = one(judge, task)
        assert judged.verdict is Verdict.INVALID
        assert judge.usage.requests == 3
        tokens = judge.usage.prompt_tokens + judge.usage.completion_tokens
        assert judge.usage.cost == pytest.approx(tokens / 1e6)
        outcomes = judge.store.database.query("SELECT outcome FROM calls ORDER BY id")
        assert outcomes == [("500",), ("429",), ("ok",)]


@pytest.mark.parametrize("limits", [Limits(requests=10), Limits(tokens=6000)])
def test_a_limit_is_kept_and_the_rest_can_be_bought_later(
    limits: Limits, task: Task, rules: dict
) -> None:
    many = [Transition("T", {"events": f"step {i}"}, "") for i in range(60)]
    with Loopback(rules, latency=0.01) as server:
        judge = judge_of(server, limits=limits, max_tokens=100)
        with pytest.raises(BudgetError):
            judge.judge(task, task.subgoals, many)
        spent = judge.usage
        assert 5 < spent.requests < 60
        assert limits.requests is None or spent.requests <= limits.requests
        assert limits.tokens is None or spent.prompt_tokens + spent.completion_tokens <= 6000
        again = judge_of(server, store=judge.store, limits=limits, max_tokens=100)
        with pytest.raises(BudgetError, match="by earlier runs"):
            again.judge(task, task.subgoals, many)
        assert again.usage.requests == 0
        rest = judge_of(server, store=judge.store, max_tokens=100)
        assert {j.verdict for j in rest.judge(task, task.subgoals, many)} == {Verdict.OK}
        assert server.requests == 60


# --- keys


def test_a_key_goes_nowhere_but_to_the_endpoint(
    task: Task, rules: dict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    tmp_path: Any,
) -> None:  # fmt: skip
    from calm.store.store import Store

    caplog.set_level(0)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    shown: list[str] = []
    with Store(tmp_path / "s.sqlite") as store:
        with Loopback(rules, key=KEY, script=["echo-key", "500", "429"]) as server:
            judge = judge_of(server, store=store)
            shown.append(repr(one(judge, task)))
            shown.append(repr(one(judge, task, "another")))
            shown += [repr(judge.options), repr(judge.endpoint.connection), repr(judge.params)]
        with Loopback(rules, faults={"401": 1.0}) as server:
            with pytest.raises(EndpointError) as refused:
                one(judge_of(server, store=store), task, "a third")
            error: BaseException | None = refused.value
            while error is not None:
                shown.append(repr(error))
                error = error.__cause__ or (
                    None if error.__suppress_context__ else error.__context__
                )
    for place in [*shown, caplog.text]:
        assert KEY not in place
    assert any("[key]" in place for place in shown)
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes()


def test_another_variable_can_hold_the_key(
    task: Task, rules: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with Loopback(rules, key=KEY) as server:
        assert one(judge_of(server, key_env="MY_KEY"), task).verdict is Verdict.OK


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -1, "completion_tokens": 10**30}])
def test_a_limit_holds_where_the_endpoint_tells_no_token_counts(
    usage: object, task: Task, rules: dict
) -> None:
    class Silent(Loopback):
        def respond(self, method: str, path: str, key: str, content: bytes) -> Wire:
            wire = super().respond(method, path, key, content)
            return Wire(body=json.dumps(json.loads(wire.body) | {"usage": usage}).encode())

    many = [Transition("T", {"events": f"{i}"}, "") for i in range(59)]
    with Silent(rules) as server:
        judge = judge_of(server, limits=Limits(tokens=6000), concurrency=1)
        with (
            pytest.warns(UserWarning, match="does not say how many tokens"),
            pytest.raises(BudgetError, match="came without token counts"),
        ):
            judge.judge(task, task.subgoals, many)
        assert 2 <= server.requests <= 5  # each may take 1024 and its prompt
        assert judge.usage.prompt_tokens + judge.usage.completion_tokens <= 6000
        # What was estimated counts for the next run on this store too.
        again = make_judge(
            "openai:m", base_url=server.url, store=judge.store, limits=Limits(tokens=6000)
        )
        sent = server.requests
        with pytest.raises(BudgetError, match="by earlier runs"):
            again.judge(task, task.subgoals, many)
        assert server.requests == sent


def test_stored_log_probabilities_beyond_reason_give_no_confidence() -> None:
    text = '{"a": true}'
    for logprob in (1e6, math.nan, math.inf):
        odds = [TokenOdds(c, 0.0, {}) for c in text[:6]]
        odds += [TokenOdds("true", logprob, {"false": -3.0}), TokenOdds("}", 0.0, {})]
        assert from_odds(Reply(text, odds=tuple(odds)), ["a"]) is None


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


@pytest.mark.parametrize("fault", ["malformed", "hang"])
def test_an_answer_that_is_lost_counts_as_the_most_that_it_may_have_cost(
    fault: str, task: Task
) -> None:
    """Who is billed for it would pass a limit in silence; later runs count it too."""
    limits = Limits(tokens=4000)
    with Loopback({}, faults={fault: 1.0}) as server:
        timeout = 1.0 if fault == "hang" else 60.0
        judge = judge_of(server, limits=limits, max_tokens=1000, timeout=timeout, deadline=60)
        with pytest.raises(BudgetError, match="2 requests came without token counts"):
            one(judge, task)
        assert server.requests == 2
        again = judge_of(server, store=judge.store, limits=limits, max_tokens=1000)
        with pytest.raises(BudgetError, match="by earlier runs 2 requests, 3076"):
            one(again, task)
        assert server.requests == 2

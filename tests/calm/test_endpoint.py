"""Every fault of an endpoint ends as a class or a clear stop, on real HTTP over loopback."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from calm.budget import Budget, Limits
from calm.endpoint import Connection, Endpoint
from calm.errors import BudgetError, CalmError, EndpointError
from calm.faults import RowFault
from calm.judges import make_judge
from calm.judges.openai import OpenAIJudge
from calm.loopback import FAULTS, Loopback
from calm.loopback.faults import CONTENT_FAULTS, Wire, error
from calm.pace import Pace
from calm.question import Call
from calm.records import Task, Transition, Verdict

KEY = "sk-planted-0123456789abcdef"

SETTLED = {
    "truncated-json": Verdict.INVALID,
    "length": Verdict.TRUNCATED,
    "no-finish": Verdict.TRUNCATED,
    "refusal": Verdict.REFUSED,
    "filter": Verdict.FILTERED,
    "prose": Verdict.INVALID,
    "fence": Verdict.INVALID,
    "wrong-schema": Verdict.INVALID,
    "missing-subgoal": Verdict.INVALID,
    "extra-subgoal": Verdict.INVALID,
    "string-boolean": Verdict.INVALID,
    "key-twice": Verdict.INVALID,
    "missing-id": Verdict.INVALID,
    "echo-key": Verdict.INVALID,
    "context": Verdict.ERROR,
    "filter-400": Verdict.FILTERED,
}
FATAL: dict[str, type[CalmError]] = {
    "quota": BudgetError,
    "402": BudgetError,
    "401": EndpointError,
    "403": EndpointError,
    "404": EndpointError,
}
# The rest goes away by itself.
TRANSIENT = [f for f in FAULTS if f not in SETTLED and f not in FATAL and f != "429-long"]


def _judge(server: Loopback, **options: Any) -> OpenAIJudge:
    judge = make_judge(
        "openai:m", base_url=server.url, **{"timeout": 1.5, "backoff": 0.01, **options}
    )
    assert isinstance(judge, OpenAIJudge)
    return judge


def _one(judge: OpenAIJudge, task: Task, text: str = "The key entered the inventory") -> Any:
    (judged,) = judge.judge(task, task.subgoals, [Transition(task.id, {"events": text}, "")])
    return judged


def test_every_fault_is_accounted_for() -> None:
    assert {*SETTLED, *FATAL, *TRANSIENT, "429-long"} == set(FAULTS)
    assert set(SETTLED) >= CONTENT_FAULTS


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_transient_fault_is_tried_again(fault: str, task: Task, rules: dict) -> None:
    with Loopback(rules, script=[fault]) as server:
        judge = _judge(server)
        began = time.monotonic()
        judged = _one(judge, task)
        seconds = time.monotonic() - began
        assert judged.verdict is Verdict.OK
        assert judged.achieved["pick up the key"] is True
        assert server.requests == 2
        assert judge.usage.requests == 2
        assert sum(judge.asker.tally.failures.values()) == 1
        assert seconds < 10.0
        if fault in ("429-after", "429-date"):  # one second; a date two seconds on, cut to seconds
            assert seconds >= 0.9


@pytest.mark.parametrize("fault", SETTLED)
def test_a_fault_of_the_answer_is_a_class_and_asked_once(
    fault: str, task: Task, rules: dict
) -> None:
    with Loopback(rules, script=[fault]) as server:
        judged = _one(_judge(server), task)
        assert judged.verdict is SETTLED[fault]
        assert not judged.achieved
        assert judged.reason
        assert server.requests == 1


@pytest.mark.parametrize("fault", FATAL)
def test_what_no_retry_can_help_stops_at_once(fault: str, task: Task, rules: dict) -> None:
    with Loopback(rules, faults={fault: 1.0}) as server:
        with pytest.raises(FATAL[fault]) as stopped:
            _one(_judge(server), task)
        assert server.requests == 1
        assert len(str(stopped.value)) > 40


def test_a_wait_beyond_the_deadline_gives_the_row_up(task: Task, rules: dict) -> None:
    with Loopback(rules, script=["429-long"]) as server:
        judged = _one(_judge(server, deadline=20.0), task)
        assert judged.verdict is Verdict.ERROR
        assert "429" in judged.reason
        assert server.requests == 1


def test_a_500_that_stays_the_same_is_given_up_after_six(task: Task, rules: dict) -> None:
    with Loopback(rules, faults={"500": 1.0}) as server:
        judged = _one(_judge(server), task)
        assert judged.verdict is Verdict.ERROR
        assert "6 times in a row" in judged.reason
        assert server.requests == 6


def test_an_endpoint_that_is_away_for_a_while_costs_no_rows(task: Task, rules: dict) -> None:
    with Loopback(rules, script=["", *["500"] * 9, "", *["malformed"] * 7]) as server:
        judge = _judge(server, concurrency=1)
        for text in ("a", "b", "c"):
            assert _one(judge, task, text).verdict is Verdict.OK
        assert server.requests == 3 + 9 + 7


def test_a_question_that_breaks_the_server_is_given_up_while_others_are_answered(
    task: Task,
) -> None:
    def answer(body: Mapping[str, Any]) -> str:
        if "poison" in str(body):
            raise ValueError("poison")
        return '{"pick up the key": false, "open the door": false}'

    many = [Transition("T", {"events": t}, "") for t in ("poison", *map(str, range(100)))]
    with Loopback(answer=answer, latency=0.02) as server:
        judge = _judge(server, concurrency=2)
        judged = judge.judge(task, task.subgoals, many)
        assert [j.verdict for j in judged] == [Verdict.ERROR] + [Verdict.OK] * 100
        assert "6 times in a row" in judged[0].reason
        assert judge.usage.requests == 106


def test_an_error_is_asked_again_by_the_next_run_and_then_kept(task: Task, rules: dict) -> None:
    with Loopback(rules, script=["context"]) as server:
        judge = _judge(server)
        assert _one(judge, task).verdict is Verdict.ERROR
        assert _one(judge, task).verdict is Verdict.OK
        assert _one(judge, task).verdict is Verdict.OK
        assert server.requests == 2


def test_nobody_there_is_told_with_the_address(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = make_judge("openai:m", base_url="http://127.0.0.1:9/v1", backoff=0.01)
    with pytest.raises(EndpointError, match=r"can't reach http://127\.0\.0\.1:9/v1"):
        judge.judge(task, task.subgoals, [Transition("T", {"events": "x"}, "")])


def test_an_endpoint_that_refuses_everything_is_told_after_twenty(task: Task) -> None:
    with Loopback({}, faults={"context": 1.0}) as server:
        judge = _judge(server, concurrency=1)
        many = [Transition("T", {"events": f"{i}"}, "") for i in range(50)]
        with pytest.raises(EndpointError, match="refused the first 20"):
            judge.judge(task, task.subgoals, many)
        assert server.requests == 20


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
        judge = _judge(server, extra={"seed": 1, "top_p": 0.9}, logprobs=True, concurrency=3)
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
        assert _one(_judge(server), task).verdict is Verdict.OK
        assert server.bodies[-1]["max_completion_tokens"] == 1024


# --- confidence, samples, many in one request


def test_confidence_comes_from_logprobs_where_there_are_any(task: Task, rules: dict) -> None:
    with Loopback(rules, logprobs=True) as server:
        judged = _one(_judge(server, logprobs=True), task)
        assert judged.confidence == pytest.approx(
            {"pick up the key": 0.9, "open the door": 0.1}, abs=1e-3
        )
    with Loopback(rules) as server:
        assert _one(_judge(server, logprobs=True), task).confidence is None


def test_samples_vote_and_their_share_is_the_confidence(task: Task) -> None:
    said = iter([True, False, True])

    def answer(body: Mapping[str, Any]) -> str:
        yes = "true" if next(said) else "false"
        return f'{{"pick up the key": {yes}, "open the door": false}}'

    with Loopback(answer=answer) as server:
        judged = _one(_judge(server, samples=3, extra={"seed": 5}), task)
        assert judged.achieved == {"pick up the key": True, "open the door": False}
        assert judged.confidence == pytest.approx({"pick up the key": 2 / 3, "open the door": 0})
        assert sorted(b["seed"] for b in server.bodies) == [5, 6, 7]
        assert {b["temperature"] for b in server.bodies} == {0.7}


def test_many_transitions_share_a_request(
    task: Task, transitions: list[Transition], rules: dict
) -> None:
    with Loopback(rules) as server:
        judged = _judge(server, per_request=3).judge(task, task.subgoals, transitions)
        alone = make_judge("rules", rules=rules).judge(task, task.subgoals, transitions)
        assert [j.achieved for j in judged] == [j.achieved for j in alone]
        assert server.requests == 3  # of 3, 3 and 1: seven distinct texts


def test_one_left_out_of_a_shared_answer_is_unreadable_and_the_others_count(
    task: Task, transitions: list[Transition], rules: dict
) -> None:
    with Loopback(rules, script=["missing-id"]) as server:
        judged = _judge(server, per_request=7).judge(task, task.subgoals, transitions[:7])
        assert [j.verdict for j in judged] == [Verdict.OK] * 6 + [Verdict.INVALID]


def test_repair_works_on_what_was_bought_without_it_and_the_reverse(
    task: Task, rules: dict
) -> None:
    with Loopback(rules, script=["fence"]) as server:
        judge = _judge(server)
        assert _one(judge, task).verdict is Verdict.INVALID
        assert (
            _one(_judge(server, repair=True, store=judge.store), task).verdict is Verdict.REPAIRED
        )
        assert _one(judge, task).verdict is Verdict.INVALID
        assert server.requests == 1


def test_chosen_classes_are_asked_again(task: Task, rules: dict) -> None:
    with Loopback(rules, script=["prose"]) as server:
        judge = _judge(server)
        assert _one(judge, task).verdict is Verdict.INVALID
        retry = _judge(server, again=(Verdict.INVALID,), store=judge.store)
        assert _one(retry, task).verdict is Verdict.OK
        assert _one(judge, task).verdict is Verdict.OK
        assert server.requests == 2


# --- money


def test_the_cost_of_every_attempt_is_counted(task: Task, rules: dict) -> None:
    from calm.pricing import Price

    with Loopback(rules, script=["500", "429", "prose"]) as server:
        judge = _judge(server, price=Price(input=1, output=1))
        judged = _one(judge, task)
        assert judged.verdict is Verdict.INVALID
        assert judge.usage.requests == 3
        tokens = judge.usage.prompt_tokens + judge.usage.completion_tokens
        assert judge.usage.cost == pytest.approx(tokens / 1e6)
        outcomes = judge.store.query("SELECT outcome FROM calls ORDER BY id")
        assert outcomes == [("500",), ("429",), ("ok",)]


@pytest.mark.parametrize("limits", [Limits(requests=10), Limits(tokens=6000)])
def test_a_limit_is_kept_and_the_rest_can_be_bought_later(
    limits: Limits, task: Task, rules: dict
) -> None:
    many = [Transition("T", {"events": f"step {i}"}, "") for i in range(60)]
    with Loopback(rules, latency=0.01) as server:
        judge = _judge(server, limits=limits, max_tokens=100)
        with pytest.raises(BudgetError):
            judge.judge(task, task.subgoals, many)
        spent = judge.usage
        assert 5 < spent.requests < 60
        assert limits.requests is None or spent.requests <= limits.requests
        assert limits.tokens is None or spent.prompt_tokens + spent.completion_tokens <= 6000
        again = _judge(server, store=judge.store, limits=limits, max_tokens=100)
        with pytest.raises(BudgetError, match="by earlier runs"):
            again.judge(task, task.subgoals, many)
        assert again.usage.requests == 0
        rest = _judge(server, store=judge.store, max_tokens=100)
        assert {j.verdict for j in rest.judge(task, task.subgoals, many)} == {Verdict.OK}
        assert server.requests == 60


# --- keys


def test_a_key_goes_nowhere_but_to_the_endpoint(
    task: Task, rules: dict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    tmp_path: Any,
) -> None:  # fmt: skip
    from calm.store import Store

    caplog.set_level(0)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    shown: list[str] = []
    with Store(tmp_path / "s.sqlite") as store:
        with Loopback(rules, key=KEY, script=["echo-key", "500", "429"]) as server:
            judge = _judge(server, store=store)
            shown.append(repr(_one(judge, task)))
            shown.append(repr(_one(judge, task, "another")))
            shown += [repr(judge.options), repr(judge.endpoint.connection), repr(judge.params)]
        with Loopback(rules, faults={"401": 1.0}) as server:
            with pytest.raises(EndpointError) as refused:
                _one(_judge(server, store=store), task, "a third")
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
        assert _one(_judge(server, key_env="MY_KEY"), task).verdict is Verdict.OK


# --- the rest


def _ask(endpoint: Endpoint, failures: list[Call]) -> Callable[[], Call]:
    async def ask() -> Call:
        try:
            return await endpoint.ask("x", {}, on_failure=failures.append)
        finally:
            await endpoint.aclose()

    return lambda: asyncio.run(ask())


def test_a_request_ends_with_its_time_however_it_drips() -> None:
    with Loopback(answer=lambda body: "{}", faults={"drip": 1.0}) as server:
        connection = Connection("m", server.url, timeout=0.3, deadline=0.5)
        failures: list[Call] = []
        began = time.monotonic()
        with pytest.raises(RowFault, match="timeout"):
            _ask(Endpoint(connection), failures)()
        assert time.monotonic() - began < 1.5
        assert {f.outcome for f in failures} == {"timeout"}


def test_a_patient_one_stops_the_work_when_nothing_was_answered_for_a_whole_deadline() -> None:
    with Loopback(answer=lambda body: "{}", script=[""], faults={"503-html": 1.0}) as server:
        endpoint = Endpoint(Connection("m", server.url, deadline=0.5, backoff=0.05, patient=True))

        async def twice() -> None:
            try:
                await endpoint.ask("x", {})
                await endpoint.ask("y", {})
            finally:
                await endpoint.aclose()

        with pytest.raises(EndpointError, match=r"not answered.*503.*run again when it is back"):
            asyncio.run(twice())
        assert server.requests > 3


def test_a_patient_one_gives_up_a_question_that_alone_has_no_answer() -> None:
    """Others are answered all the while, so the server is there."""

    class One(Loopback):
        def respond(self, method: str, path: str, key: str, content: bytes) -> Wire:
            if b"unlucky" in content:
                return error(503, "busy")
            return super().respond(method, path, key, content)

    with One(answer=lambda body: "{}") as server:
        endpoint = Endpoint(Connection("m", server.url, deadline=0.5, backoff=0.05, patient=True))

        async def both() -> None:
            unlucky = asyncio.create_task(endpoint.ask("unlucky", {}))
            while not unlucky.done():
                await endpoint.ask("x", {})
                await asyncio.sleep(0.02)
            await endpoint.aclose()
            await unlucky

        with pytest.raises(RowFault, match=r"given up \(within 0\.5 s\): 503"):
            asyncio.run(both())


def test_no_more_than_the_cap_is_in_flight() -> None:
    with Loopback(answer=lambda body: "{}", latency=0.02) as server:
        endpoint = Endpoint(Connection("m", server.url), pace=Pace(7), budget=Budget())

        async def many() -> None:
            await asyncio.gather(*(endpoint.ask(str(i), {}) for i in range(60)))
            await endpoint.aclose()

        asyncio.run(many())
        assert server.requests == 60
        assert server.most_in_flight == 7

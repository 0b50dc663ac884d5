"""Every fault of an endpoint ends as a class or a clear stop, on real HTTP over loopback."""

import asyncio
import importlib.util
import socket
import threading
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import pytest

from calm.endpoint import client
from calm.endpoint.budget import Budget
from calm.endpoint.client import Connection, Endpoint
from calm.endpoint.envelope import Call
from calm.endpoint.faults import RowFault
from calm.endpoint.pace import Pace
from calm.errors import BudgetError, CalmError, EndpointError
from calm.judges import make_judge
from calm.loopback import FAULTS, Loopback
from calm.loopback.faults import CONTENT_FAULTS, Wire, error
from calm.records import Task, Transition, Usage, Verdict
from tests.support.loopback_judge import judge_of, one

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


def test_every_fault_is_accounted_for() -> None:
    assert {*SETTLED, *FATAL, *TRANSIENT, "429-long"} == set(FAULTS)
    assert set(SETTLED) >= CONTENT_FAULTS


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_transient_fault_is_tried_again(
    fault: str, task: Task, rules: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(rules, script=[fault]) as server:
        judge = judge_of(server, timeout=2.0 if fault in ("hang", "drip") else 60.0)
        transport = judge.endpoint.transport
        note_timeout = judge.endpoint.pace.note_timeout

        def allow_a_minute() -> None:
            """For the second request, on a machine that is busy."""
            note_timeout()
            transport.timeout = 60.0

        monkeypatch.setattr(judge.endpoint.pace, "note_timeout", allow_a_minute)
        began = time.monotonic()
        judged = one(judge, task)
        seconds = time.monotonic() - began
        assert judged.verdict is Verdict.OK
        assert judged.achieved["pick up the key"] is True
        assert server.requests == 2
        assert judge.usage.requests == 2
        assert judge.store.database.query("SELECT count(*) FROM calls WHERE outcome != 'ok'") == [
            (1,)
        ]
        if fault in ("429-after", "429-date"):  # one second; a date two seconds on, cut to seconds
            assert seconds >= 0.9


@pytest.mark.parametrize("key", ["x", "key"])
def test_a_placeholder_for_a_key_is_not_taken_out_of_any_text(
    key: str,
    task: Task,
    rules: dict,
    transitions: list[Transition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with Loopback(rules, script=["context"]) as server:
        judge = judge_of(server)
        reason = one(judge, task).reason
        assert reason.startswith("too long: ")
        assert "maximum context length" in reason
        judged = judge.judge(task, task.subgoals, transitions)
    assert {j.verdict for j in judged} == {Verdict.OK}
    assert judged[0].achieved == {"pick up the key": True, "open the door": False}


@pytest.mark.parametrize("fault", SETTLED)
def test_a_fault_of_the_answer_is_a_class_and_asked_once(
    fault: str, task: Task, rules: dict
) -> None:
    with Loopback(rules, script=[fault]) as server:
        judged = one(judge_of(server), task)
        assert judged.verdict is SETTLED[fault]
        assert not judged.achieved
        assert judged.reason
        assert server.requests == 1


@pytest.mark.parametrize("fault", FATAL)
def test_what_no_retry_can_help_stops_at_once(fault: str, task: Task, rules: dict) -> None:
    with Loopback(rules, faults={fault: 1.0}) as server:
        with pytest.raises(FATAL[fault]) as stopped:
            one(judge_of(server), task)
        assert server.requests == 1
        assert len(str(stopped.value)) > 40


def test_a_wait_beyond_the_deadline_gives_the_row_up(task: Task, rules: dict) -> None:
    with Loopback(rules, script=["429-long"]) as server:
        judged = one(judge_of(server, deadline=20.0), task)
        assert judged.verdict is Verdict.ERROR
        assert "429" in judged.reason
        assert server.requests == 1


def test_a_wait_beyond_the_deadline_stops_the_work_at_once(
    task: Task, transitions: list[Transition], rules: dict
) -> None:
    """Else all others wait in silence for as long as one was told to."""
    with Loopback(rules, script=["429-long"]) as server:
        judge = judge_of(server, deadline=20.0, concurrency=1)
        with pytest.raises(EndpointError, match=r"wants no requests for \d+ s.*longer --deadline"):
            judge.judge(task, task.subgoals, transitions)
        assert server.requests == 1


def test_a_500_that_stays_the_same_is_given_up_after_six(task: Task, rules: dict) -> None:
    with Loopback(rules, faults={"500": 1.0}) as server:
        judged = one(judge_of(server), task)
        assert judged.verdict is Verdict.ERROR
        assert "6 times in a row" in judged.reason
        assert server.requests == 6


def test_a_500_that_differs_in_the_number_of_its_request_is_the_same(task: Task) -> None:
    class Numbered(Loopback):
        def respond(self, method: str, path: str, key: str, content: bytes) -> Wire:
            self.counts["numbered"] += 1
            n = self.requests
            return error(500, f"failed at 12:00:{n:02}; mention request ID req_{n}f3a-{n}.")

    with Numbered() as server:
        judged = one(judge_of(server), task)
        assert judged.verdict is Verdict.ERROR
        assert "6 times in a row" in judged.reason
        assert server.requests == 6


def test_an_endpoint_that_is_away_for_a_while_costs_no_rows(task: Task, rules: dict) -> None:
    with Loopback(rules, script=["", *["500"] * 9, "", *["malformed"] * 7]) as server:
        judge = judge_of(server, concurrency=1, backoff=0.001)
        for text in ("a", "b", "c"):
            assert one(judge, task, text).verdict is Verdict.OK
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
        judge = judge_of(server, concurrency=2)
        judged = judge.judge(task, task.subgoals, many)
        assert [j.verdict for j in judged] == [Verdict.ERROR] + [Verdict.OK] * 100
        assert "6 times in a row" in judged[0].reason
        assert judge.usage.requests == 106


def test_an_error_is_asked_again_by_the_next_run_and_then_kept(task: Task, rules: dict) -> None:
    with Loopback(rules, script=["context"]) as server:
        judge = judge_of(server)
        assert one(judge, task).verdict is Verdict.ERROR
        assert one(judge, task).verdict is Verdict.OK
        assert one(judge, task).verdict is Verdict.OK
        assert server.requests == 2


def test_nobody_there_is_told_with_the_address(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = make_judge("openai:m", base_url="http://127.0.0.1:9/v1", backoff=0.01)
    with pytest.raises(EndpointError, match=r"can't reach http://127\.0\.0\.1:9/v1"):
        judge.judge(task, task.subgoals, [Transition("T", {"events": "x"}, "")])


def test_an_endpoint_that_refuses_everything_is_told_after_twenty(task: Task) -> None:
    with Loopback({}, faults={"context": 1.0}) as server:
        judge = judge_of(server, concurrency=1)
        many = [Transition("T", {"events": f"{i}"}, "") for i in range(50)]
        with pytest.raises(EndpointError, match="refused the first 20"):
            judge.judge(task, task.subgoals, many)
        assert server.requests == 20


# --- without a judge


def _ask(endpoint: Endpoint, failures: list[Call]) -> Callable[[], Call]:
    async def ask() -> Call:
        try:
            return await endpoint.ask("x", {}, on_failure=failures.append)
        finally:
            await endpoint.aclose()

    return lambda: asyncio.run(ask())


def _use(http: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes requests go out through this HTTP client."""
    found = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if (name, http) == ("aiohttp", "httpx2") else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


LOST = ("hang", "malformed", "html", "cut", "reset", "disconnect", "bad-chunk", "ssh-banner")


@pytest.mark.parametrize("http", ["aiohttp", "httpx2"])
@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_counts_as_the_most_that_it_may_have_cost(
    fault: str, http: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server had the whole request, so it may have answered, and asks to be paid."""
    _use(http, monkeypatch)
    with Loopback(answer=lambda body: "{}", script=[fault]) as server:
        timeout = 2.0 if fault == "hang" else 60.0
        endpoint = Endpoint(Connection("m", server.url, timeout=timeout, backoff=0.01))
        failures: list[Call] = []
        _ask(endpoint, failures)()
    first, *_ = failures
    assert first.reply is not None
    # Half a token a character, and 16; an answer of 1024, the most that the budget was told of.
    assert _tokens(first.reply.usage) == (16, 1024)
    # The answer itself is `{}`: one token. The server counts none of the prompt: an estimate too.
    assert endpoint.budget.estimated == len(failures) + 1
    assert endpoint.budget.spent.completion_tokens == 1024 * len(failures) + 1


@pytest.mark.parametrize("http", ["aiohttp", "httpx2"])
def test_a_request_that_never_left_counts_for_nothing(
    http: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(http, monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    endpoint = Endpoint(Connection("m", url, backoff=0.01))
    failures: list[Call] = []
    with pytest.raises(EndpointError, match="can't reach"):
        _ask(endpoint, failures)()
    assert [(f.outcome, f.reply) for f in failures] == [("connection", None)] * 5
    assert endpoint.budget.estimated == 0
    assert _tokens(endpoint.budget.spent) == (0, 0)


def _tokens(usage: Usage) -> tuple[int, int]:
    return usage.prompt_tokens, usage.completion_tokens


def test_a_request_ends_with_its_time_however_it_drips() -> None:
    with Loopback(answer=lambda body: "{}", faults={"drip": 1.0}) as server:
        connection = Connection("m", server.url, timeout=0.3, deadline=0.5)
        failures: list[Call] = []
        began = time.monotonic()
        with pytest.raises(RowFault, match="timeout"):
            _ask(Endpoint(connection), failures)()
        assert time.monotonic() - began < 60  # the whole answer would take minutes
        assert {f.outcome for f in failures} == {"timeout"}


def test_a_patient_one_stops_the_work_when_nothing_was_answered_for_a_whole_deadline() -> None:
    with Loopback(answer=lambda body: "{}", script=[""], faults={"503-html": 1.0}) as server:
        endpoint = Endpoint(Connection("m", server.url, deadline=1.0, backoff=0.05, patient=True))

        async def twice() -> None:
            try:
                await endpoint.ask("x", {})
                await endpoint.ask("y", {})
            finally:
                await endpoint.aclose()

        with pytest.raises(EndpointError, match=r"not answered.*503.*run again when it is back"):
            asyncio.run(twice())
        assert server.requests >= 3


def test_a_patient_one_gives_up_a_question_that_alone_has_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others are answered all the while, so the server is there, however slow the machine is."""
    monkeypatch.setattr(client, "monotonic", count(100.0, 0.01).__next__)

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

        with pytest.raises(RowFault, match=r"given up \(\d+ times in a row\): 503"):
            asyncio.run(both())


def test_a_patient_one_gives_no_question_up_that_failed_with_the_server() -> None:
    """One question is held until another is answered, then the server goes."""
    server = Loopback(answer=lambda body: "{}", script=["hang", ""]).start()
    endpoint = Endpoint(Connection("m", server.url, deadline=0.3, backoff=0.05, patient=True))

    async def both() -> None:
        held = asyncio.create_task(endpoint.ask("held", {}))
        while server.requests < 1:
            await asyncio.sleep(0.01)
        await endpoint.ask("x", {})
        await asyncio.to_thread(server.stop)
        try:
            await held
        finally:
            await endpoint.aclose()

    with pytest.raises(EndpointError, match="has not answered for"):
        asyncio.run(both())


def test_a_patient_one_counts_no_fault_of_a_time_when_the_server_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The question fails twelve times with the server, three times alone, and then is answered."""
    passed = [0.0]  # seconds beyond those of the clock
    monkeypatch.setattr(client, "monotonic", lambda: time.monotonic() + passed[0])
    is_away = threading.Event()
    fails_alone = [3]

    class Away(Loopback):
        def respond(self, method: str, path: str, key: str, content: bytes) -> Wire:
            if is_away.is_set():
                return error(503, "busy")
            if b"old" in content and fails_alone[0]:
                fails_alone[0] -= 1
                return error(503, "busy")
            return super().respond(method, path, key, content)

    failures: list[Call] = []

    async def both(endpoint: Endpoint) -> None:
        await endpoint.ask("x", {})
        is_away.set()
        old = asyncio.create_task(endpoint.ask("old", {}, on_failure=failures.append))
        while len(failures) < 12:
            await asyncio.sleep(0.01)
        is_away.clear()
        for _ in range(2):  # its deadline passes, and the server is never silent for as long
            await endpoint.ask("x", {})
            passed[0] += 40
        while not old.done():
            await endpoint.ask("x", {})
        await endpoint.aclose()
        await old

    with Away(answer=lambda body: "{}") as server:
        connection = Connection("m", server.url, deadline=60, backoff=0.0001, patient=True)
        asyncio.run(both(Endpoint(connection)))
    assert len(failures) >= 15


def test_no_more_than_the_cap_is_in_flight() -> None:
    with Loopback(answer=lambda body: "{}", latency=0.02) as server:
        endpoint = Endpoint(Connection("m", server.url), pace=Pace(7), budget=Budget())

        async def many() -> None:
            await asyncio.gather(*(endpoint.ask(str(i), {}) for i in range(60)))
            await endpoint.aclose()

        asyncio.run(many())
        assert server.requests == 60
        assert server.most_in_flight == 7

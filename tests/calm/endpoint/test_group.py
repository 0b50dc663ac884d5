"""Several endpoints of one model: the work is shared, and what one can't do the others do."""

import asyncio
import socket
from contextlib import ExitStack

import pytest

from calm.endpoint.budget import Budget, Limits
from calm.endpoint.client import Connection, Endpoint
from calm.endpoint.envelope import Call
from calm.endpoint.group import EndpointGroup, open_endpoint
from calm.endpoint.pace import Pace
from calm.errors import BudgetError, EndpointError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.records import Task, Transition
from calm.store.store import Store

RULES = {"pick up the key": ("key entered",), "open the door": ("door is open",)}


def group(
    *urls: str, cap: int = 4, deadline: float = 60.0, budget: Budget | None = None
) -> Endpoint:
    connection = Connection("m", " ".join(urls), deadline=deadline, backoff=0.01)
    return open_endpoint(connection, lambda: Pace(cap), budget or Budget())


def ask_all(endpoint: Endpoint, prompts: int) -> tuple[list[Call], list[Call]]:
    """Asks so many prompts at once; returns the answered calls and the failed ones."""
    failed: list[Call] = []

    async def run() -> list[Call]:
        asks = [endpoint.ask(f"{i}", {}, on_failure=failed.append) for i in range(prompts)]
        try:
            return list(await asyncio.gather(*asks))
        finally:
            await endpoint.aclose()

    return asyncio.run(run()), failed


def dead_address() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def test_one_address_is_an_endpoint_and_several_are_a_group() -> None:
    one, same = "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1"
    assert type(group(one, same)) is Endpoint
    two = group(one, "http://127.0.0.1:10/v1")
    assert isinstance(two, EndpointGroup)
    assert two.pace.cap == 8
    assert [m.address for m in two.members] == [one, "http://127.0.0.1:10/v1"]


def test_the_quicker_one_gets_the_larger_share_and_each_call_names_who_answered() -> None:
    with Loopback(RULES, latency=0.005) as quick, Loopback(RULES, latency=1.0) as slow:
        calls, failed = ask_all(group(quick.url, slow.url), 60)
        assert failed == []
        assert quick.requests + slow.requests == 60
        assert quick.requests > slow.requests > 0
        shares = [sum(c.endpoint == s.url for c in calls) for s in (quick, slow)]
        assert shares == [quick.requests, slow.requests]


def test_one_that_is_away_leaves_its_share_to_the_others() -> None:
    with Loopback(RULES) as server:
        with pytest.warns(UserWarning, match="is away .* other endpoints"):
            calls, failed = ask_all(group(dead_address(), server.url), 20)
        assert len(calls) == server.requests == 20
        assert {call.outcome for call in failed} == {"connection"}
        assert {call.endpoint for call in failed} != {server.url}


def test_one_that_ends_in_the_middle_leaves_what_it_had_to_the_others() -> None:
    with Loopback(RULES, latency=0.02) as stays, ExitStack() as ends:
        goes = ends.enter_context(Loopback(RULES, latency=0.02))
        endpoint = group(stays.url, goes.url)

        def on_failure(call: Call) -> None:
            pass

        async def run() -> list[Call]:
            asks = [
                asyncio.create_task(endpoint.ask(f"{i}", {}, on_failure=on_failure))
                for i in range(60)
            ]
            while goes.requests < 4:
                await asyncio.sleep(0.005)
            await asyncio.to_thread(goes.stop)
            try:
                return list(await asyncio.gather(*asks))
            finally:
                await endpoint.aclose()

        with pytest.warns(UserWarning, match="is away"):
            calls = asyncio.run(run())
        assert len(calls) == 60
        assert stays.requests >= 60 - goes.requests


# A server may close a connection that the next question was just put on: that is told too.
@pytest.mark.filterwarnings("ignore:.* is away .connection")
def test_one_that_refuses_for_good_is_asked_no_more_and_the_last_ones_error_is_raised() -> None:
    with Loopback(RULES) as server, Loopback(RULES, key="another") as refuses:
        with pytest.warns(UserWarning, match="asked no more"):
            calls, _ = ask_all(group(refuses.url, server.url), 20)
        assert len(calls) == server.requests == 20
    with (
        Loopback(RULES, faults={"402": 1.0}) as poor,
        Loopback(RULES, faults={"402": 1.0}) as poorer,
        pytest.warns(UserWarning, match="no quota"),
        pytest.raises(BudgetError, match="no quota"),
    ):
        ask_all(group(poor.url, poorer.url), 20)


def test_where_all_are_away_it_stops_and_names_them() -> None:
    urls = dead_address(), dead_address()
    with (
        pytest.warns(UserWarning, match="is away"),
        pytest.raises(EndpointError, match=f"none of {urls[0]}, "),
    ):
        ask_all(group(*urls, deadline=0.5), 3)


def test_a_limit_is_on_all_of_them_together() -> None:
    with Loopback(RULES) as one, Loopback(RULES) as other:
        budget = Budget(Limits(requests=5))
        with pytest.raises(BudgetError, match="5 requests"):
            ask_all(group(one.url, other.url, budget=budget), 9)
        assert one.requests + other.requests <= 5


def test_a_judge_at_two_addresses_stores_under_the_one_that_answered(
    task: Task, transitions: list[Transition]
) -> None:
    with Loopback(RULES) as one, Loopback(RULES) as other, Store() as store:
        judge = make_judge("openai:m", store=store, base_url=f"{one.url} {other.url}")
        judge.judge(task, task.subgoals, transitions)
        rows = store.database.query("SELECT endpoint, count(*) FROM calls GROUP BY 1")
        assert dict(rows) == {s.url: s.requests for s in (one, other) if s.requests}
        assert one.requests + other.requests == 7

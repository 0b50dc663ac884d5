"""The pace: grows while all is well, shrinks when pushed back, and finds a rate limit."""

import asyncio
import math
import random
import selectors
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from calm.endpoint.pace import Pace
from calm.errors import UsageError


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_never_passes_its_cap_and_begins_below_it() -> None:
    pace = Pace(40)
    assert pace.limit == 16
    for _ in range(200):
        pace.in_flight = int(pace.limit)
        pace.note_answer(1.0)
    assert pace.limit == 40


def test_an_idle_limit_does_not_grow() -> None:
    pace = Pace(40)
    for _ in range(50):
        pace.in_flight = 2
        pace.note_answer(1.0)
    assert pace.limit == 16


def test_what_was_in_flight_together_is_one_push_back() -> None:
    clock = Clock()
    pace = Pace(100, clock=clock)
    for _ in range(10):
        pace.note_pushback(seconds=0.5)
    assert pace.limit == 20  # 25 * 0.8, once
    clock.now += 1
    pace.note_pushback(seconds=0.5)  # sent after the cut
    assert pace.limit == 16


def test_a_single_timeout_changes_nothing_but_many_do() -> None:
    pace = Pace(100)
    pace.note_timeout()
    assert pace.limit == 25
    for _ in range(10):
        pace.note_timeout()
    assert pace.limit < 25


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 0, -1])
@pytest.mark.parametrize("rate", ["rpm", "tpm"])
def test_a_rate_must_be_a_positive_number(rate: str, wrong: float) -> None:
    with pytest.raises(UsageError, match="positive numbers"):
        Pace(1, **{rate: wrong})


def test_nobody_at_once_is_refused() -> None:
    with pytest.raises(UsageError, match="positive numbers"):
        Pace(0)


class Virtual(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while it waits, and then at once."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = selectors.SelectSelector()
        select = selector.select

        def skip(timeout: float | None = None) -> Any:
            self.now += max(timeout or 0.0, 1e-6)
            return select(0)

        selector.select = skip  # type: ignore[method-assign]
        super().__init__(selector)

    def time(self) -> float:
        return self.now


class Asked(NamedTuple):
    requests: int
    seconds: float


def _ask(n: int, takes: Callable[[float], bool], *, latency: float, stalls: float = 0.0) -> Asked:
    """Gets n answers, as `Endpoint` does, from an endpoint that pushes back where `takes` says no.

    Our own process stalls `stalls` times a second, for up to 0.4 s.
    """
    loop, rng, requests = Virtual(), random.Random(n), 0

    async def one(pace: Pace, attempt: int = 0) -> None:
        nonlocal requests
        async with pace.slot():
            requests += 1
            began = loop.time()
            await asyncio.sleep(0.01)
            if takes(loop.time()):
                await asyncio.sleep(latency)
                return pace.note_answer(loop.time() - began)
            pace.note_pushback(seconds=loop.time() - began)
        await asyncio.sleep(min(30.0, 0.5 * 2**attempt) * rng.uniform(0.5, 1.0))
        return await one(pace, attempt + 1)

    async def stall() -> None:
        while True:
            await asyncio.sleep(rng.expovariate(stalls))
            loop.now += rng.uniform(0.0, 0.4)

    async def main() -> float:
        pace, left, began = Pace(64, clock=loop.time), list(range(n)), loop.time()
        stalling = asyncio.create_task(stall()) if stalls else None

        async def worker() -> None:
            while left:
                left.pop()
                await one(pace)

        await asyncio.gather(*(worker() for _ in range(64)))
        if stalling is not None:
            stalling.cancel()
        return loop.time() - began

    try:
        return Asked(seconds=loop.run_until_complete(main()), requests=requests)
    finally:
        loop.close()


def _bucket(rate: float, burst: float) -> Callable[[float], bool]:
    tokens, filled = burst, 1000.0

    def takes(now: float) -> bool:
        nonlocal tokens, filled
        tokens, filled = min(burst, tokens + rate * (now - filled)), now
        taken = tokens >= 1
        tokens -= taken
        return taken

    return takes


@pytest.mark.parametrize(
    ("rate", "burst", "latency"),
    [(20, 20, 0.05), (20, 20, 0.5), (50, 50, 0.05), (50, 50, 0.5), (50, 5, 0.05), (200, 200, 0.05)],
)
def test_a_rate_limit_is_found_and_almost_used_up(rate: int, burst: int, latency: float) -> None:
    asked = _ask(20 * rate, _bucket(rate, burst), latency=latency)
    assert asked.requests < 1.15 * 20 * rate
    assert asked.seconds < 1.4 * 20


@pytest.mark.parametrize(("rate", "burst"), [(20, 20), (50, 50), (200, 200)])
def test_stalls_of_our_own_are_not_taken_for_the_endpoints(rate: int, burst: int) -> None:
    asked = _ask(20 * rate, _bucket(rate, burst), latency=0.05, stalls=2)
    assert asked.requests < 1.15 * 20 * rate
    assert asked.seconds < 1.2 * 20


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_push_backs_that_do_not_depend_on_speed_do_not_stop_us(share: float) -> None:
    rng = random.Random(7)
    asked = _ask(3000, lambda now: rng.random() >= share, latency=0.05)
    assert asked.requests < (1 + 1.5 * share) * 3000
    assert asked.seconds < 200  # it does not creep to a halt


def test_a_stated_wait_is_kept_by_everyone() -> None:
    async def main() -> float:
        pace = Pace(8)
        pace.note_pushback(0.2)
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def one() -> None:
            async with pace.slot():
                pass

        await asyncio.gather(one(), one(), one())
        return loop.time() - began

    assert asyncio.run(main()) >= 0.2


def test_requests_a_minute_are_spaced() -> None:
    async def main() -> float:
        pace = Pace(8, rpm=1200)
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def one() -> None:
            async with pace.slot(10):
                pass

        await asyncio.gather(*(one() for _ in range(7)))
        return loop.time() - began

    assert 0.25 <= asyncio.run(main()) < 2.0


def test_who_gives_up_waiting_passes_the_turn_on() -> None:
    async def main() -> None:
        pace = Pace(1)
        async with pace.slot():
            gone = asyncio.create_task(pace._enter())
            there = asyncio.create_task(pace._enter())
            await asyncio.sleep(0)
            gone.cancel()
        await asyncio.wait_for(there, 1)
        assert pace.in_flight == 1

    asyncio.run(main())

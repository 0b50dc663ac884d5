"""The pace: grows while all is well, shrinks when pushed back, and finds a rate limit."""

import asyncio
from collections.abc import Callable

import pytest

from calm.errors import UsageError
from calm.pace import Pace


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
        pace.good(1.0)
    assert pace.limit == 40


def test_an_idle_limit_does_not_grow() -> None:
    pace = Pace(40)
    for _ in range(50):
        pace.in_flight = 2
        pace.good(1.0)
    assert pace.limit == 16


def test_what_was_in_flight_together_is_one_push_back() -> None:
    clock = Clock()
    pace = Pace(100, clock=clock)
    for _ in range(10):
        pace.pushed_back()
    assert pace.limit == 20  # 25 * 0.8, once
    clock.now += 1
    pace.pushed_back()
    assert pace.limit == 16


def test_a_single_timeout_changes_nothing_but_many_do() -> None:
    pace = Pace(100)
    pace.slowed()
    assert pace.limit == 25
    for _ in range(10):
        pace.slowed()
    assert pace.limit < 25


def test_wrong_limits_are_refused() -> None:
    for make in (lambda: Pace(0), lambda: Pace(1, rpm=0), lambda: Pace(1, tpm=-1)):
        with pytest.raises(UsageError):
            make()


def _simulate(accepts: Callable[[float], bool], seconds: float) -> tuple[float, float]:
    """Asks as fast as the rate allows, without waiting for real; (accepted, sent) in all."""
    clock = Clock()
    pace = Pace(64, clock=clock)
    accepted = sent = 0
    end = clock.now + seconds
    while clock.now < end:
        # 20 ms an answer with 16 at once, unless the rate says slower.
        gap = 0.02 / pace.limit if pace.rate is None else max(0.02 / pace.limit, 1 / pace.rate)
        clock.now = max(clock.now + gap, pace._quiet_until)
        sent += 1
        if accepts(clock.now):
            accepted += 1
            pace.in_flight = int(pace.limit)
            pace.good(0.02)
        else:
            pace.pushed_back()
    return accepted, sent


@pytest.mark.parametrize("burst", [5, 50])
def test_a_rate_limit_is_found_and_almost_used_up(burst: int) -> None:
    tokens, filled = float(burst), 100.0

    def bucket(now: float) -> bool:
        nonlocal tokens, filled
        tokens, filled = min(burst, tokens + 50 * (now - filled)), now
        if tokens < 1:
            return False
        tokens -= 1
        return True

    accepted, sent = _simulate(bucket, 60)
    assert sent / accepted < 1.05
    assert accepted > 0.85 * 50 * 60


def test_push_backs_that_do_not_depend_on_speed_do_not_stop_us() -> None:
    count = 0

    def one_in_ten(now: float) -> bool:
        nonlocal count
        count += 1
        return count % 10 != 0

    accepted, _ = _simulate(one_in_ten, 60)
    assert accepted > 100 * 60  # of at most 800 a second; it does not creep to a halt


def test_a_stated_wait_is_kept_by_everyone() -> None:
    async def main() -> float:
        pace = Pace(8)
        pace.pushed_back(0.2)
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

"""Limits that hold: what is limited is not passed, and what is in flight is waited for."""

import asyncio

import pytest

from calm.budget import Budget, Limits
from calm.errors import BudgetError, UsageError
from calm.pricing import Price
from calm.records import Usage


def test_a_limit_on_cost_needs_a_price() -> None:
    with pytest.raises(UsageError, match=r"prices\.yaml"):
        Budget(Limits(cost=1.0))


def test_an_unknown_price_is_an_unknown_cost() -> None:
    budget = Budget()
    assert budget.settle(budget.estimate(30), Usage(prompt_tokens=10)).cost is None
    assert budget.spent.cost is None
    known = Budget(price=Price(input=1, output=1))
    used = known.settle(known.estimate(30), Usage(prompt_tokens=10, completion_tokens=5))
    assert used.cost == pytest.approx(15e-6)


@pytest.mark.parametrize("limits", [Limits(requests=3), Limits(tokens=350), Limits(cost=350e-6)])
def test_a_limit_stops_before_it_is_passed(limits: Limits) -> None:
    budget = Budget(limits, Price(input=1, output=1), max_tokens=10)

    async def spend() -> int:
        sent = 0
        while True:
            expected = budget.estimate(100)
            await budget.hold(expected)
            budget.settle(expected, Usage(prompt_tokens=95, completion_tokens=5), characters=100)
            sent += 1

    with pytest.raises(BudgetError, match="run again with a higher limit"):
        asyncio.run(spend())
    assert budget.spent.requests == 3 if limits.requests else budget.spent.requests in (2, 3)
    assert budget.spent.prompt_tokens + budget.spent.completion_tokens <= 350


def test_who_does_not_fit_waits_for_what_is_in_flight() -> None:
    async def main() -> None:
        budget = Budget(Limits(requests=1))
        first = budget.estimate(10)
        await budget.hold(first)
        waiting = asyncio.create_task(budget.hold(budget.estimate(10)))
        await asyncio.sleep(0)
        assert not waiting.done()
        budget.settle(first, Usage())
        with pytest.raises(BudgetError):
            await waiting

    asyncio.run(main())

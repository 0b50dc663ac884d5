"""Limits that hold: what is limited is not passed, and what is in flight is waited for."""

import asyncio
import math

import pytest

from calm.endpoint.budget import Budget, Limits
from calm.endpoint.pricing import Price
from calm.errors import BudgetError, UsageError
from calm.records import Usage


def test_a_limit_on_cost_needs_a_price() -> None:
    with pytest.raises(UsageError, match=r"prices\.yaml"):
        Budget(Limits(cost=1.0))


def test_a_limit_on_cost_is_a_number() -> None:
    with pytest.raises(UsageError, match="must be a number"):
        Budget(Limits(cost=math.nan), Price(input=1, output=1))


def test_an_unknown_price_is_an_unknown_cost() -> None:
    budget = Budget()
    assert budget.release(budget.estimate(30), Usage(prompt_tokens=10)).cost is None
    assert budget.spent.cost is None
    known = Budget(price=Price(input=1, output=1))
    used = known.release(known.estimate(30), Usage(prompt_tokens=10, completion_tokens=5))
    assert used.cost == pytest.approx(15e-6)


@pytest.mark.parametrize("limits", [Limits(requests=3), Limits(tokens=350), Limits(cost=350e-6)])
def test_a_limit_stops_before_it_is_passed(limits: Limits) -> None:
    budget = Budget(limits, Price(input=1, output=1), max_tokens=10)

    async def spend() -> int:
        sent = 0
        while True:
            expected = budget.estimate(100)
            await budget.reserve(expected)
            budget.release(expected, Usage(prompt_tokens=95, completion_tokens=5), characters=100)
            sent += 1

    with pytest.raises(BudgetError, match="with a higher limit"):
        asyncio.run(spend())
    assert budget.spent.requests == 3 if limits.requests else budget.spent.requests in (2, 3)
    assert budget.spent.prompt_tokens + budget.spent.completion_tokens <= 350


def test_who_does_not_fit_waits_for_what_is_in_flight() -> None:
    async def main() -> None:
        budget = Budget(Limits(requests=1))
        first = budget.estimate(10)
        await budget.reserve(first)
        waiting = asyncio.create_task(budget.reserve(budget.estimate(10)))
        await asyncio.sleep(0)
        assert not waiting.done()
        budget.release(first, Usage())
        with pytest.raises(BudgetError):
            await waiting

    asyncio.run(main())


def test_what_earlier_runs_have_paid_counts() -> None:
    budget = Budget(Limits(requests=5))
    budget.count_before(Usage(4, prompt_tokens=70, completion_tokens=7))
    first = budget.estimate(10)
    asyncio.run(budget.reserve(first))
    budget.release(first, Usage())
    with pytest.raises(BudgetError, match="by earlier runs 4 requests, 77 tokens"):
        asyncio.run(budget.reserve(first))
    assert budget.spent.requests == 1


def test_earlier_runs_of_unknown_cost_count_at_todays_price() -> None:
    budget = Budget(Limits(cost=0.002), Price(input=1, output=2))
    budget.count_before(Usage(2, prompt_tokens=700, completion_tokens=500, cost=None))
    budget.count_before(Usage(1, prompt_tokens=900, cost=0.0002))
    assert budget.before.cost == pytest.approx(0.0017 + 0.0002)
    with pytest.raises(BudgetError):
        asyncio.run(budget.reserve(budget.estimate(100)))


def test_an_answer_without_token_counts_counts_as_what_was_reserved() -> None:
    budget = Budget(Limits(tokens=400), max_tokens=100)
    spent = []

    async def spend() -> None:
        while True:
            expected = budget.estimate(100)
            await budget.reserve(expected)
            spent.append(budget.release(expected, Usage(), characters=100))

    with pytest.raises(BudgetError, match="2 requests came without token counts"):
        asyncio.run(spend())
    assert [(u.prompt_tokens, u.completion_tokens) for u in spent] == [(66, 100), (66, 100)]
    assert budget.estimated == 2
    expected = budget.estimate(100)
    half = budget.release(expected, Usage(prompt_tokens=30), characters=100)
    assert (half.prompt_tokens, half.completion_tokens) == (30, 100)
    # Where no answer came, nothing is estimated.
    assert budget.release(budget.estimate(100), Usage()).prompt_tokens == 0

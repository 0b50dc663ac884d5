"""Limits on what may be spent, kept by reserving the worst case before each request.

A request is sent only if what was spent, what is in flight and what it may cost itself stay within
every limit. So a limit is passed by no more than the error of the estimates of what is in flight.

What earlier runs have paid for the same questions counts: whoever limits a job to five dollars does
not mean five more after each crash. Of several processes at once each counts what the store held
when it began, and its own.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace

from calm.endpoint.pricing import Price
from calm.errors import BudgetError, UsageError
from calm.records import Usage


@dataclass(frozen=True)
class Limits:
    """What a job may cost in all, its earlier runs included; None is no limit."""

    cost: float | None = None
    """US dollars."""
    tokens: int | None = None
    """Prompt and completion together."""
    requests: int | None = None
    """HTTP requests, failed attempts included."""


class Budget:
    """Counts what is spent and refuses what would pass a limit.

    Args:
        price: the model's; needed where cost is limited.
        max_tokens: most tokens that one answer may have.
    """

    def __init__(
        self, limits: Limits = Limits(), price: Price | None = None, max_tokens: int = 1024
    ):
        if limits.cost is not None and price is None:
            raise UsageError(
                "a limit on cost needs the model's price: add it to prices.yaml, or to the file of"
                " --prices (`MODEL: {input: USD, output: USD}`, for a million tokens)"
            )
        if limits.cost is not None and math.isnan(limits.cost):  # which no cost would pass
            raise UsageError("a limit on cost must be a number of US dollars")
        self.limits = limits
        self.price = price
        self.spent = Usage(cost=0.0 if price is not None else None)
        """By this run."""
        self.before = Usage()
        """By earlier runs, on the same questions."""
        self.estimated = 0
        """Answers of this run that came without token counts, or with odd ones."""
        self._reserved = Usage()
        self._longest = max_tokens
        self._answers = 0
        self._longest_answer = 0
        self._tokens_a_character = 0.5
        self._freed = asyncio.Event()
        self._all = [self]
        """Budgets under the same limits, this one among them."""

    def share_limits(self, other: Budget) -> None:
        """Counts what another budget spends, on another model, towards the same limits."""
        self._all, self._freed = other._all, other._freed
        self._all.append(self)

    def expect(self, max_tokens: int) -> None:
        """Notes that an answer may have so many tokens, until answers tell how long they are."""
        if self._answers < 8:
            self._longest = max(self._longest, max_tokens)

    @property
    def counts_tokens(self) -> bool:
        """Returns whether a limit hangs on the number of tokens."""
        return self.limits.tokens is not None or self.limits.cost is not None

    def estimate(self, characters: int) -> Usage:
        """Returns the most that a request with a prompt of so many characters may cost."""
        usage = Usage(
            requests=1,
            prompt_tokens=int(characters * self._tokens_a_character) + 16,
            completion_tokens=self._longest,
        )
        return self._priced(usage)

    def _priced(self, usage: Usage) -> Usage:
        cost = None if self.price is None else self.price.cost(usage)
        return usage + Usage(cost=cost)

    def count_before(self, paid: Usage) -> None:
        """Counts what earlier runs have paid; at today's price, if theirs was not known."""
        if paid.cost is None and self.price is not None:
            paid = replace(paid, cost=self.price.cost(paid))
        self.before += paid

    def allows(self, expected: Usage) -> bool:
        """Returns whether this much more would stay within every limit."""
        return self._passed(expected) is None

    async def reserve(self, expected: Usage) -> None:
        """Reserves what a request may cost; waits for what is in flight if that may free it.

        Raises:
            BudgetError: it would pass a limit, and nothing is in flight.
        """
        while not self.allows(expected):
            if sum(one._reserved.requests for one in self._all) == 0:
                raise BudgetError(self.reached(expected))
            self._freed.clear()
            await self._freed.wait()
        self._reserved += expected

    def reached(self, expected: Usage) -> str:
        """Returns what an error says when so much more would pass a limit."""
        earlier = f", by earlier runs {_describe(self.before)}" if self.before.requests else ""
        estimate = (
            f", of which {self.estimated} requests came without token counts and count as the most"
            " they may have cost"
        )
        return (
            f"the next request might pass the limit of {self._passed(expected)}; spent by this run"
            f" {_describe(self.spent)}{estimate if self.estimated else ''}{earlier}."
            " All answers are kept; the same command with a higher limit resumes"
        )

    def _passed(self, expected: Usage) -> str | None:
        spent = (one.before + one.spent + one._reserved for one in self._all)
        total = sum(spent, expected)
        limits = self.limits
        if limits.requests is not None and total.requests > limits.requests:
            return f"{limits.requests} requests"
        if (
            limits.tokens is not None
            and total.prompt_tokens + total.completion_tokens > limits.tokens
        ):
            return f"{limits.tokens} tokens"
        if limits.cost is not None and (total.cost or 0.0) > limits.cost:
            return f"${limits.cost:g}"
        return None

    def release(self, expected: Usage, used: Usage, characters: int = 0) -> Usage:
        """Frees what was reserved for a request and counts what it cost; returns that, priced.

        An answer without token counts counts as the most that it may have cost (see `estimated`).

        Args:
            expected: what was reserved.
            used: what the endpoint says; 0 tokens where it says nothing.
            characters: of the prompt; 0 if no answer came.
        """
        h, e = self._reserved, expected
        self._reserved = Usage(
            h.requests - e.requests,
            h.prompt_tokens - e.prompt_tokens,
            h.cached_tokens,
            h.completion_tokens - e.completion_tokens,
            0.0,
            None if h.cost is None or e.cost is None else h.cost - e.cost,
        )
        used = self._count(expected, used, characters)
        self._freed.set()
        return used

    def record(self, used: Usage, characters: int) -> Usage:
        """Counts an answer that nothing was reserved for, a row of a batch; returns it priced.

        Args and what counts where token counts are missing are those of `release`.
        """
        return self._count(self.estimate(characters), used, characters)

    def _count(self, expected: Usage, used: Usage, characters: int) -> Usage:
        """Adds to what is spent, by `expected` where an answer has no token counts."""
        has_counts = bool(used.prompt_tokens and used.completion_tokens)
        if characters and not has_counts:
            self.estimated += 1
            used = replace(
                used,
                prompt_tokens=used.prompt_tokens or expected.prompt_tokens,
                completion_tokens=used.completion_tokens or expected.completion_tokens,
            )
        used = self._priced(Usage(1, *_tokens(used), used.seconds))
        self.spent += used
        if has_counts and characters:
            self._learn(used, characters)
        return used

    def _learn(self, used: Usage, characters: int) -> None:
        """Makes estimates follow the answers that came, with a margin, after a few of them."""
        self._answers += 1
        ratio = 1.1 * used.prompt_tokens / characters
        first = self._answers == 1
        self._tokens_a_character = ratio if first else max(ratio, self._tokens_a_character)
        self._longest_answer = max(self._longest_answer, used.completion_tokens)
        if self._answers >= 8:
            self._longest = min(self._longest, max(16, int(1.5 * self._longest_answer)))


def _tokens(usage: Usage) -> tuple[int, int, int]:
    return usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens


def _describe(usage: Usage) -> str:
    cost = "" if usage.cost is None else f", ${usage.cost:.4f}"
    return (
        f"{usage.requests} requests, {usage.prompt_tokens + usage.completion_tokens} tokens{cost}"
    )

"""Several endpoints of one model share the work: each as much as it answers.

A question goes to the endpoint that has room and is likely to answer first, by what it has answered
so far. Each has its own pace and its own card of abilities; the budget is one. Where an endpoint is
away its questions go to the others, and now and then one question tries whether it is back; one
that refuses for good (its key, its model, its quota) is asked no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from calm.endpoint.budget import Budget
from calm.endpoint.client import Connection, Endpoint, HandedBack
from calm.endpoint.envelope import Call
from calm.endpoint.faults import NoQuota, Transient
from calm.endpoint.pace import Pace
from calm.endpoint.transport import Transport
from calm.errors import CalmError, EndpointError

_LONGEST_ABSENCE = 60.0
"""Seconds before an endpoint that is away is tried again, at most."""
_GIVEN_UP = 5
"""Failures in a row of each after which endpoints that never answered are taken to be wrong."""


def open_endpoint(
    connection: Connection,
    make_pace: Callable[[], Pace],
    budget: Budget,
    transport: Transport | None = None,
) -> Endpoint:
    """Returns the endpoint of a connection, or the group of those that its base URL names.

    Args:
        connection: its base URL may hold several addresses, separated by spaces.
        make_pace: returns a pace, one for each endpoint.
        transport: the way there, in place of the base URL.

    Raises:
        UsageError: an address is none. EndpointError: no key where one is needed.
    """
    named = connection.base_url or os.environ.get("OPENAI_BASE_URL") or ""
    addresses = list(dict.fromkeys(named.split()))
    if transport is not None or len(addresses) < 2:
        if transport is None and addresses:
            connection = replace(connection, base_url=addresses[0])
        return Endpoint(connection, pace=make_pace(), budget=budget, transport=transport)
    return EndpointGroup(
        [
            Endpoint(replace(connection, base_url=address), pace=make_pace(), budget=budget)
            for address in addresses
        ]
    )


@dataclass(eq=False)
class _Member:
    """One endpoint of a group, and how it does."""

    endpoint: Endpoint
    assigned: int = 0
    """Questions that it is being asked, retries and pauses included."""
    failures: int = 0
    """In a row, since its last answer."""
    away_until: float = 0.0
    lost: CalmError | None = None
    """Why it is asked no more."""

    @property
    def room(self) -> int:
        """Returns how many questions it may have at once: one that tells whether it is back."""
        return 1 if self.failures else int(self.endpoint.pace.limit)

    @property
    def expected(self) -> float:
        """Returns a measure of when it would answer one more."""
        pace = self.endpoint.pace
        return (self.assigned + 1) / max(1.0, pace.limit) * max(0.001, pace.latency)

    def is_ready(self, now: float) -> bool:
        """Returns whether it takes a question now."""
        return self.lost is None and self.away_until <= now and self.assigned < self.room


class EndpointGroup(Endpoint):
    """Asks one model at several addresses; it is used like the endpoint of one.

    Args:
        members: of the same model, with one budget.
    """

    def __init__(self, members: Sequence[Endpoint]) -> None:
        first = members[0]
        pace = Pace(sum(member.pace.cap for member in members))
        super().__init__(
            first.connection, pace=pace, budget=first.budget, transport=first.transport
        )
        self.address = " ".join(member.address for member in members)
        self._members = [_Member(member) for member in members]
        for member in members:
            member.hands_back = True
        self._turns: deque[asyncio.Future[None]] = deque()

    @property
    def members(self) -> Sequence[Endpoint]:
        """Returns the single endpoints."""
        return [member.endpoint for member in self._members]

    async def ask(
        self,
        prompt: str,
        params: Mapping[str, Any],
        *,
        schema: Mapping[str, Any] | None = None,
        on_failure: Callable[[Call], None] = lambda call: None,
    ) -> Call:
        """Returns one answer to one prompt; args and errors are those of `Endpoint.ask`.

        The call names the address that answered, and failed calls the one that failed.
        """
        began = monotonic()
        while True:
            member = await self._ready(began)
            address = member.endpoint.address

            def failed(call: Call, address: str = address) -> None:
                on_failure(replace(call, endpoint=address))

            member.assigned += 1
            try:
                call = await member.endpoint.ask(prompt, params, schema=schema, on_failure=failed)
            except HandedBack as back:
                self._note_absence(member, back.fault)
            except (EndpointError, NoQuota) as error:
                self._note_loss(member, error)
            else:
                member.failures = 0
                self._answered_at = monotonic()
                return replace(call, endpoint=address)
            finally:
                member.assigned -= 1
                self._wake()

    async def _ready(self, began: float) -> _Member:
        """Returns the endpoint to ask next, once one has room.

        Args:
            began: when the question was first asked.

        Raises:
            EndpointError: all are away, and have been silent for a deadline.
        """
        while True:
            now = monotonic()
            ready = [member for member in self._members if member.is_ready(now)]
            if ready:
                return min(ready, key=lambda member: member.expected)
            left = [member for member in self._members if member.lost is None]
            if not left and (error := self._members[0].lost):
                raise error
            waits = [member.away_until - now for member in left if member.away_until > now]
            if all(member.failures for member in left):
                self._check_silence(left, now - max(began, self._answered_at or began))
                waits.append(1.0)
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._turns.append(turn)
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.01, min(waits)) if waits else None):
                        await turn
            finally:
                if turn.done() and not turn.cancelled():
                    self._wake()  # should this one not take it
                else:
                    self._turns.remove(turn) if turn in self._turns else None

    def _wake(self) -> None:
        """Lets as many of those that wait look again as there is room for."""
        now = monotonic()
        room = sum(m.room - m.assigned for m in self._members if m.is_ready(now))
        while room > 0 and self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= 1

    def _check_silence(self, members: Sequence[_Member], silent: float) -> None:
        never = self._answered_at is None and all(m.failures >= _GIVEN_UP for m in members)
        if silent > self.connection.deadline or never:
            addresses = ", ".join(member.endpoint.address for member in members)
            raise EndpointError(
                f"none of {addresses} has answered for {silent:.0f} s. All answers so far are kept;"
                " check that the servers run and that the base URLs are right, and run again"
            )

    def _note_absence(self, member: _Member, fault: Transient) -> None:
        member.failures += 1
        wait = self.connection.backoff * 2.0 ** min(member.failures, 10)
        member.away_until = monotonic() + min(_LONGEST_ABSENCE, fault.retry_after or wait)
        if member.failures == 1:
            self._warn(f"{member.endpoint.address} is away ({fault})")

    def _note_loss(self, member: _Member, error: CalmError) -> None:
        """Asks an endpoint no more; raises its error where it was the last."""
        member.lost = member.lost or error
        if all(one.lost for one in self._members):
            raise error
        self._warn(f"{member.endpoint.address} is asked no more: {error}")

    def _warn(self, what: str) -> None:
        warnings.warn(f"{what}; its share goes to the other endpoints", stacklevel=3)

    async def aclose(self) -> None:
        """Closes the connections."""
        for member in self._members:
            await member.endpoint.aclose()

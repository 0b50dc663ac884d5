"""Gets prompts answered by one model at one address: when to send, to try again, and to stop.

The SDK's own retries are not used, because of how they fail: they retry an empty account, give up
on a long Retry-After, and their timeout is per read, not per request.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from types import MappingProxyType
from typing import Any, NoReturn

from calm.endpoint.budget import Budget
from calm.endpoint.card import learned_from_refusal, request_body
from calm.endpoint.envelope import Call, Reply
from calm.endpoint.extras import extras_of, without_extras
from calm.endpoint.faults import RowFault, Transient, Unsupported
from calm.endpoint.pace import LongPause, Pace
from calm.endpoint.transport import Transport
from calm.errors import EndpointError, UsageError
from calm.records import Usage

_ALONE = 6
"""Attempts in a row after which a question is given up that alone has no answer."""
_CHANGING = re.compile(r"\w*\d[\w.:-]*")
"""Numbers of requests, times and the like, which differ in what is said of the same fault."""


@dataclass(frozen=True)
class Connection:
    """Where and how to reach a model."""

    model: str
    base_url: str | None = None
    """None: `OPENAI_BASE_URL`, or OpenAI's own."""
    key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; never the key itself."""
    timeout: float = 120.0
    """Seconds one attempt may take in all."""
    deadline: float = 900.0
    """Seconds after which a question is given up, its retries included."""
    backoff: float = 0.5
    """Seconds before the second attempt, about; doubles with each, up to half a minute."""
    patient: bool = False
    """An endpoint that is away is waited for until it has been silent for a deadline, and then the
    work stops. A question alone is given up only if others are still answered when its own deadline
    is over."""


class HandedBack(Exception):
    """Raised where a server is away and its question is to be put to another."""

    def __init__(self, fault: Transient) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class _Request:
    """What one call of `Endpoint.ask` is to get answered; its arguments are told there."""

    prompt: str
    params: Mapping[str, Any]
    schema: Mapping[str, Any] | None
    on_failure: Callable[[Call], None]


class Endpoint:
    """Asks one model at one address, at the pace it takes and within a budget.

    Args:
        card: what is known of its abilities (see `calm.endpoint.card`); grows while asking.
        transport: the way there; None goes to the connection's base URL.

    Raises:
        UsageError: a time is no positive number. EndpointError: no key where one is needed.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        pace: Pace | None = None,
        budget: Budget | None = None,
        card: Mapping[str, Any] | None = None,
        seed: int = 0,
        transport: Transport | None = None,
    ) -> None:
        if not (0 < connection.timeout < math.inf and connection.deadline > 0):
            raise UsageError("timeout and deadline must be positive numbers of seconds")
        self.connection = connection
        self.model = connection.model
        self.pace = pace or Pace()
        self.budget = budget or Budget()
        self.card = dict(card or {})
        self.keep_card: Callable[[Mapping[str, Any]], None] = lambda news: None
        """Called with what was newly learned of the endpoint's abilities."""
        self._random = random.Random(seed)
        self.transport = transport or Transport(
            connection.base_url, connection.key_env, connection.timeout, self.pace.cap
        )
        self.address = self.transport.address
        """The base URL without user, password or query."""
        self.hands_back = False
        """Whether a question is handed back as soon as the server is away: others can be asked."""
        self._answered_at: float | None = None
        self._refused = 0
        self._answered_with: set[str] = set()
        """Extras of requests that were answered, see `calm.endpoint.extras`."""

    @property
    def members(self) -> Sequence[Endpoint]:
        """Returns the single endpoints that this consists of."""
        return (self,)

    # --- asking ----------------------------------------------------------------------------------

    async def ask(
        self,
        prompt: str,
        params: Mapping[str, Any],
        *,
        schema: Mapping[str, Any] | None = None,
        on_failure: Callable[[Call], None] = lambda call: None,
    ) -> Call:
        """Returns one answer to one prompt, however many attempts it takes.

        Args:
            params: sampling parameters, as the endpoint names them; `prefill` is the beginning of
                the answer, sent as an unfinished turn of the model.
            schema: JSON schema of the answer, enforced as far as the endpoint can.
            on_failure: called with every attempt that failed.

        Raises:
            RowFault: this question has no answer: refused, or given up after its deadline.
            EndpointError, BudgetError: asking further is pointless.
        """
        await self.transport.open()
        request = _Request(prompt, params, schema, on_failure)
        began = since = failed_at = monotonic()
        attempt = same = alone = crashes = 0
        last = ""
        trial: Mapping[str, Any] = {}  # what the card would say if an extra made the server crash
        while True:
            try:
                call = await self._attempt(request, trial)
                if trial:
                    return await self._confirm(call, request, trial)
                return call
            except LongPause as pause:
                raise EndpointError(
                    f"{self.address} wants no requests for {pause.seconds:.0f} s, and a question"
                    f" may take {self.connection.deadline:g} s. All answers so far are kept; run"
                    " again later, or with a longer --deadline"
                ) from None
            except Unsupported as fault:
                self._adapt(fault, request)  # each adaption sends less, so this ends
            except RowFault as fault:
                self._count_refusal(fault.detail)
                raise
            except Transient as fault:
                if self.hands_back and fault.is_away and not fault.pushback:
                    raise HandedBack(fault) from None
                attempt += 1
                if (words := _CHANGING.sub("#", str(fault))) != last:
                    same, alone, last, since = 0, 0, words, monotonic()
                same += 1
                # Only while others are answered is it this question's own fault.
                alone += self._answered_at is not None and self._answered_at > failed_at
                failed_at = monotonic()
                crashes = crashes + 1 if fault.is_crash else 0
                trial = self._trial(crashes, request)
                wait = fault.retry_after
                if wait is None:
                    wait = min(30.0, self.connection.backoff * 2.0 ** min(attempt - 1, 10))
                    wait *= self._random.uniform(0.5, 1.0)
                if self._is_hopeless(fault, began, since, same, alone):
                    self._give_up(fault, f"{same} times in a row")
                if self.connection.patient:
                    await self._wait_patiently(fault, wait, began)
                    continue
                if wait > self.connection.deadline - (monotonic() - began):
                    self._give_up(fault, f"within {self.connection.deadline:g} s")
                await asyncio.sleep(wait)

    def _is_hopeless(
        self, fault: Transient, began: float, since: float, same: int, alone: int
    ) -> bool:
        """Says whether a question met the same fault so often that it is given up.

        Args:
            began: when the question was first asked.
            since: when it met this fault for the first time in a row.
            same: how often in a row.
            alone: how many of these came after others had been answered since the one before.
        """
        if fault.kind == "connection" and self._answered_at is None:
            return same >= 5  # a host that never answered is more likely wrong than busy
        if self.connection.patient and fault.is_away:
            # What it met while the server was away tells nothing about the question.
            over = max(began + self.connection.deadline, since)
            answered_since = self._answered_at is not None and self._answered_at > over
            return answered_since and alone >= (fault.limit or _ALONE)
        if self._answered_at is not None and self._answered_at < since:
            return False  # nobody else is answered either: it is not this question's fault
        return fault.limit is not None and same >= fault.limit

    async def _wait_patiently(self, fault: Transient, seconds: float, began: float) -> None:
        """Waits, but no longer than until the endpoint has been silent for a deadline.

        Raises:
            EndpointError: it has: no answer since then, to this question or another.
        """
        until = monotonic() + seconds
        while True:
            now = monotonic()
            silent = now - max(began, self._answered_at or began)
            left = self.connection.deadline - silent
            if left <= 0:
                self._stop(fault, silent)
            if now >= until:
                return
            await asyncio.sleep(min(until - now, left))

    async def _attempt(self, request: _Request, trial: Mapping[str, Any]) -> Call:
        """Returns the answer of one attempt; `trial` is taken to be in the card."""
        expected = self.budget.estimate(len(request.prompt))
        # The slot first: a request that waits for it has reserved nothing yet.
        tokens = expected.prompt_tokens + expected.completion_tokens
        async with self.pace.slot(tokens, self.connection.deadline):
            await self.budget.reserve(expected)
            body = self.body(request.prompt, request.params, request.schema, trial)
            started, clock = time.time(), monotonic()
            used = Usage()
            try:
                reply = await self.transport.send(body)
            except BaseException as fault:
                seconds = monotonic() - clock
                is_lost = isinstance(fault, Transient) and fault.lost
                used = self.budget.release(
                    expected,
                    Usage(seconds=seconds),
                    characters=len(request.prompt) if is_lost else 0,
                )
                if isinstance(fault, Transient):
                    if fault.pushback:
                        self.pace.note_pushback(fault.retry_after, seconds)
                    elif fault.kind == "timeout":
                        self.pace.note_timeout()
                    else:
                        self.pace.note_no_pushback()
                if isinstance(fault, Exception):
                    kind = getattr(fault, "kind", type(fault).__name__)
                    detail = self.transport.scrub(str(fault))[:1000]
                    lost = Reply("", None, usage=used) if is_lost else None
                    request.on_failure(Call(started, seconds, kind, lost, detail, used.cost))
                raise
            seconds = monotonic() - clock
            estimates = self.budget.estimated
            used = self.budget.release(
                expected, replace(reply.usage, seconds=seconds), characters=len(request.prompt)
            )
            self.pace.note_answer(seconds)
        self._answered_at = monotonic()
        self._refused = 0
        self._answered_with |= extras_of(body)
        return self._answered_call(started, reply, used, estimates)

    def count_batch_row(self, reply: Reply, characters: int) -> Call:
        """Counts an answer out of a batch towards the limits; returns it as a call of no duration.

        Args:
            characters: of the prompt.
        """
        estimates = self.budget.estimated
        used = self.budget.record(reply.usage, characters)
        return self._answered_call(time.time(), reply, used, estimates)

    def _answered_call(self, started: float, reply: Reply, used: Usage, estimates: int) -> Call:
        """Returns the call of a reply, marked where its token counts are an estimate.

        Args:
            started: seconds since 1970.
            used: as the budget counted it.
            estimates: how many there were before this one; the first is warned of.
        """
        is_estimate = self.budget.estimated > estimates
        if is_estimate and not estimates and self.budget.counts_tokens:
            warnings.warn(
                f"{self.address} does not say how many tokens an answer took: limits count the"
                " most that it may have taken",
                stacklevel=1,
            )
        detail = "token counts are an estimate" if is_estimate else ""
        return Call(started, used.seconds, "ok", replace(reply, usage=used), detail, used.cost)

    def body(
        self,
        prompt: str,
        params: Mapping[str, Any],
        schema: Mapping[str, Any] | None,
        trial: Mapping[str, Any] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """Returns the request as this endpoint takes it, by its card and what `trial` adds."""
        return request_body(self.model, prompt, params, schema, self.card | dict(trial))

    # --- learning and giving up ------------------------------------------------------------------

    def _trial(self, crashes: int, request: _Request) -> Mapping[str, Any]:
        """Returns what to leave out, as news for the card, after so many crashes in a row.

        Soon where no request with the same extras was ever answered, else near the end.
        """
        body = self.body("", request.params, request.schema)
        steps = without_extras(self.card, body)
        step = crashes - (4 if extras_of(body) <= self._answered_with else 2)
        return steps[step] if 0 <= step < len(steps) else {}

    async def _confirm(self, call: Call, request: _Request, trial: Mapping[str, Any]) -> Call:
        """Returns an answer that came without an extra, or one with it if that is to be had now.

        The extra is to blame, and left out from then on, if the same question without it is
        answered, with it makes the server crash again, and no other question with it was answered.
        """
        if extras_of(self.body("", request.params, request.schema)) <= self._answered_with:
            return call  # others are answered with it: it is this question's own
        try:
            again = await self._attempt(request, {})
        except Transient as fault:
            if fault.is_crash:
                self.card |= trial
                self.keep_card(trial)
            return call
        except (RowFault, Unsupported, LongPause):
            return call
        request.on_failure(replace(call, outcome="repeated"))  # paid for, and not needed
        return again

    def _adapt(self, fault: Unsupported, request: _Request) -> None:
        """Takes a refused parameter into the card, so that it is not sent again."""
        name = fault.parameter
        now = self.body("", request.params, request.schema).get(name)
        if now != fault.sent:
            return  # learned meanwhile from another request
        news = learned_from_refusal(self.card, name, now)
        self.card |= news
        self.keep_card(news)

    def _count_refusal(self, detail: str) -> None:
        self._refused += 1
        if self._answered_at is None and self._refused >= 20:
            raise EndpointError(
                f"{self.address} refused the first {self._refused} questions, the last with:"
                f" {detail}. Check the model and its parameters; `calm probe` tells what it takes"
            )

    def _give_up(self, fault: Transient, when: str) -> None:
        detail = f"given up ({when}): {fault}"
        if self._answered_at is None and fault.kind == "connection":
            raise EndpointError(
                f"can't reach {self.address}: {fault.detail}. Check that the server runs and that"
                " the base URL is right (often it ends in /v1)"
            )
        silent = monotonic() - (self._answered_at or monotonic())
        if silent > 2 * self.connection.deadline:
            self._stop(fault, silent)
        if self._answered_at is None and fault.kind == "malformed":
            detail += f". Check that the base URL {self.address} is right (often it ends in /v1)"
        raise RowFault(fault.kind, detail)

    def _stop(self, fault: Transient, silent: float) -> NoReturn:
        raise EndpointError(
            f"{self.address} has not answered for {silent:.0f} s, last: {fault}."
            " All answers so far are kept; run again when it is back"
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self.transport.aclose()

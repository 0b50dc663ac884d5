"""How fast to ask: as many requests at once as the endpoint takes without pushing back.

There are two limits, and both are learned while running.

Concurrency grows by one with each good answer while nothing has gone wrong (at most doubling each
half second), then by one a round trip; a push-back (429, overload) or a timeout multiplies it by
0.8. Alone it can't hold a rate limit: at 50 ms an answer, a limit of 50 a second lies between two
and three requests at once.

So there is a rate as well, free until the first push-back. Then it falls well below what was being
accepted, which may have been a burst, and searches upwards until the next. From then on a push-back
cuts it to the share that was taken of what was sent since the last cut, and each answer lets it
grow a little: no clock is read, so a stall of this process does not look like a slow endpoint. If
at half the speed as much is still pushed back, perhaps our speed is not the matter: then the rate
goes back up on trial, and stays for a while if no more is pushed back than below.

Requests and tokens per minute that the user knows are kept with aiolimiter.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from aiolimiter import AsyncLimiter

from calm.errors import UsageError

_SHRINK = 0.8  # of concurrency, at a push-back
FIRST_CUT = 0.4  # share of the accepted rate kept at the first push-back; low, as it may be a burst
MIN_CUT = 0.7  # of the rate, at later ones, at least
SEARCH_ANSWERS = 5  # answers since the last cut that end the search
TRIAL_PUSHBACKS = 5  # push-backs that may end a trial
_SEARCH = 1.25  # growth of the rate each step of the search
GROWTH_PER_ANSWER = 0.0005  # growth of the rate with each answer, after the search
RECOVERY_GROWTH = 0.005  # the same, while it is well below where it was pushed back last
_STEP = 0.25  # seconds, at least, of a step of the search
CATCH_UP_SECONDS = 0.01  # seconds by which a request may make up for one that was sent late
_LAST = 30  # answers over which the rate before the first push-back is measured
_RECENT = 60  # responses, at least, that tell the share of push-backs at half the speed
MAX_PUSHBACK_SHARE = 0.03  # share of push-backs that slowing down should have ended
TRIAL_SECONDS = 30.0  # of a trial


@dataclass
class Share:
    """Counts responses and the push-backs among them."""

    responses: int = 0
    pushbacks: int = 0

    @property
    def value(self) -> float:
        """Returns the share of push-backs, in [0, 1]."""
        return self.pushbacks / max(1, self.responses)


class LongPause(Exception):
    """Raised where the endpoint wants no requests for longer than its caller can wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"a pause of {seconds:.0f} s")
        self.seconds = seconds


class Pace:
    """Gives out slots to send a request in.

    Args:
        cap: never more requests at once than this.
        rpm, tpm: requests and tokens a minute that the account allows, if known.
        clock: returns seconds that never go back; another in tests.
    """

    def __init__(
        self,
        cap: int = 64,
        rpm: float | None = None,
        tpm: float | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        rates = [rate for rate in (rpm, tpm) if rate is not None]
        if cap < 1 or not all(0 < rate < math.inf for rate in rates):
            raise UsageError("concurrency, requests and tokens a minute must be positive numbers")
        self.cap = cap
        self.limit = float(min(cap, max(16, cap // 4)))
        """Requests at once, just now."""
        self.rate: float | None = None
        """Requests a second, just now; None: free."""
        self.in_flight = 0
        self._clock = clock
        # Evenly spaced: servers that grant N a minute often check over a second.
        self._rpm = None if rpm is None else AsyncLimiter(1, 60 / rpm)
        self._tpm = None if tpm is None else AsyncLimiter(tpm, 60)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._slow_start = True
        self._ceiling = 0.0  # rate at the last push-backs
        self._peak = 0.0  # rate before it was first cut, and since it was last restored
        self._slow = Share()  # below half of the peak
        self._trial: Share | None = None  # back at the peak, while the rate is held there
        self._slow_rate = 0.0  # the rate before the trial
        self._evidence = _RECENT  # responses that the next trial needs
        self._hold_until = 0.0
        self._timeouts = 0.0
        self._times: deque[float] = deque(maxlen=_LAST)  # of answers since the last push-back
        self._measured = False
        self._quiet_until = 0.0
        self._cut_at = -1e9
        self._answers_since_cut = 0  # answers since the last cut, of requests sent since
        self._next_send = 0.0
        self._sending = asyncio.Lock()
        self._last_growth_at = 0.0
        self._latency: float = 0.0

    @property
    def latency(self) -> float:
        """Returns seconds an answer takes, of late; 0 before the first."""
        return self._latency

    @asynccontextmanager
    async def slot(self, tokens: int = 0, patience: float = math.inf) -> AsyncIterator[None]:
        """Waits for a slot and holds it while a request of about `tokens` tokens is in flight.

        Args:
            tokens: of prompt and answer.
            patience: the longest pause, in seconds, that the endpoint may ask for.

        Raises:
            LongPause: it has asked for a longer one.
        """
        await self._enter()
        try:
            if self._rpm is not None:
                await self._rpm.acquire()
            if self._tpm is not None:
                await self._tpm.acquire(min(tokens, self._tpm.max_rate))
            await self._spacing(patience)
            yield
        finally:
            self.in_flight -= 1
            self._wake()

    def note_answer(self, seconds: float) -> None:
        """Notes an answer that came `seconds` after its request was sent."""
        now = self._clock()
        self._latency += (0.1 if self._latency else 1.0) * (seconds - self._latency)
        self._timeouts = max(0.0, self._timeouts - 0.25)
        self.note_no_pushback(now)
        # One more only where the present limit is in use: an idle limit proves nothing.
        if self.in_flight + 1 >= int(self.limit):
            grown = min(1.0, seconds / 0.5) if self._slow_start else 1 / self.limit
            self.limit = min(self.cap, self.limit + grown)
        if now - seconds > self._cut_at:
            self._answers_since_cut += 1
        if self.rate is not None and self._measured:
            near = self._trial is None and self.rate > 0.9 * self._ceiling
            self.rate *= 1 + (GROWTH_PER_ANSWER if near else RECOVERY_GROWTH)
        elif self.rate is not None and now - self._last_growth_at >= max(self._latency, _STEP):
            self.rate *= _SEARCH
            self._last_growth_at = now
        self._wake()

    def note_no_pushback(self, now: float | None = None) -> None:
        """Notes a response that was no push-back, whatever else it was."""
        self._count(False)
        self._times.append(self._clock() if now is None else now)

    def note_pushback(self, retry_after: float | None = None, seconds: float = 0.0) -> None:
        """Notes that the endpoint wants fewer requests, and slows down.

        Args:
            retry_after: seconds for which it wants none at all, if it said so.
            seconds: since the request was sent. Those sent before the last cut say nothing of it.
        """
        now = self._clock()
        if retry_after:
            self._quiet_until = max(self._quiet_until, now + retry_after)
        if now - seconds <= self._cut_at:
            return
        self._count(True)
        if now < self._hold_until:
            self._end_trial(now)
            return
        self._last_growth_at = self._cut_at = now
        taken, self._answers_since_cut = self._answers_since_cut, 0
        if self.rate is None:
            self._shrink()
            times = self._times
            span = times[-1] - times[0] if times else 0.0
            if len(times) >= 5 and span > 0.02:
                self._peak = (len(times) - 1) / span
                self.rate = max(1.0, FIRST_CUT * self._peak)
            return
        if not self._measured:
            self._shrink()
            self._measured, self._peak = taken >= SEARCH_ANSWERS, self.rate
            self._slow = Share()
        if self._trial is not None:  # it went well to its end
            self._peak, self._trial, self._slow = self.rate, None, Share()
        if self._slow.responses >= self._evidence and self._slow.value > MAX_PUSHBACK_SHARE:
            # Slowing down did not end it: is it our speed at all?
            self._slow_rate, self.rate = self.rate, self._peak
            self._hold_until, self._trial = now + TRIAL_SECONDS, Share()
            return
        self._ceiling = max(self.rate, 0.9 * self._ceiling)
        # Cut to the share of the present rate that the endpoint has accepted.
        self.rate = max(0.1, self.rate * max(MIN_CUT, (taken + 2) / (taken + 3)))
        self._quiet_until = max(self._quiet_until, now + 1 / self.rate)

    def _count(self, is_pushback: bool) -> None:
        """Counts a response in the share that it is evidence for: of a trial, or of half speed."""
        if self._trial is not None:
            share = self._trial
        elif self._measured and self.rate is not None and self.rate < self._peak / 2:
            share = self._slow
        else:
            return
        share.responses += 1
        share.pushbacks += is_pushback

    def _end_trial(self, now: float) -> None:
        """Slows down again if more is pushed back at the peak than was at half of it."""
        trial = self._trial
        if (
            trial
            and trial.pushbacks >= TRIAL_PUSHBACKS
            and trial.value > 2 * self._slow.value + MAX_PUSHBACK_SHARE
        ):
            self.rate, self._hold_until, self._cut_at = self._slow_rate, now, now
            self._slow, self._trial = Share(), None
            self._evidence *= 2

    def _shrink(self) -> None:
        """Takes a fifth off the requests at once, which from now on grow slowly."""
        self._slow_start = False
        self.limit = max(1.0, self.limit * _SHRINK)

    def note_timeout(self) -> None:
        """Notes a request that timed out; many of them mean too many requests at once."""
        self._timeouts += 1
        if self._timeouts >= max(3.0, self.limit / 4):
            self._timeouts = 0.0
            self._shrink()

    async def _enter(self) -> None:
        """Waits until one request fewer than the limit is in flight, in order of asking."""
        while self.in_flight >= int(self.limit):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # pass the turn on
                raise
        self.in_flight += 1

    def _wake(self) -> None:
        """Lets as many of those that wait in `_enter` go as the limit allows."""
        free = int(self.limit) - self.in_flight
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1

    async def _spacing(self, patience: float) -> None:
        """Waits until the rate and a stated Retry-After allow one more request.

        Times to send are not reserved in advance: after a cut the new rate holds for all that wait,
        and after a stall of this process they don't go all at once.
        """
        async with self._sending:
            while (wait := max(self._quiet_until, self._next_send) - self._clock()) > 0:
                if (pause := self._quiet_until - self._clock()) > patience:
                    raise LongPause(pause)
                await asyncio.sleep(wait)
            rate = self.rate
            if rate is None and self._latency > 0:
                # Twice what the limit can keep up: else equal latencies keep all requests in one
                # clump, and the endpoint idles while the whole clump is read and sent anew.
                rate = 2 * self.limit / self._latency
            if rate is not None:
                # Timers are late by a little; only that much is caught up.
                self._next_send = max(self._next_send, self._clock() - CATCH_UP_SECONDS) + 1 / rate

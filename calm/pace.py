"""How fast to ask: as many requests at once as the endpoint takes without pushing back.

Two limits, both found while running.

Concurrency grows by one with each good answer while nothing has gone wrong (at most doubling each
half second), then by one a round trip; a push-back (429, overload) or a timeout multiplies it by
0.8. Alone it can't hold a rate limit: at 50 ms an answer, a limit of 50 a second lies between two
and three requests at once.

So there is a rate as well, free until the first push-back. Then it falls well below what was being
accepted, which may have been a burst, and searches upwards. At the second push-back and later ones
it is measured: the last thirty answers since the one before came as fast as they were let through.
We stay a little below that, and creep up again. If at half the speed as much is pushed back as
before, it is not our speed that is the matter: then the rate goes back up and stays for a while.

Requests and tokens per minute that the user knows are kept with aiolimiter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from aiolimiter import AsyncLimiter

from calm.errors import UsageError

_SHRINK = 0.8  # of concurrency, at a push-back
_FIRST = 0.4  # of the accepted rate, at the first push-back: much of it may have been a burst
_BELOW = 0.97  # of the measured rate, at later ones
_SEARCH = 1.25  # growth of the rate each step of the search
_CREEP = 1.02  # growth of the rate a second, once measured
_RETURN = 1.1  # the same, while it is well below where it was pushed back last
_STEP = 0.25  # seconds, at least, of a step of the search
_LAST = 30  # answers over which the rate is measured
_RECENT = 60  # responses over which the share of push-backs is taken
_TOO_MANY = 0.05  # share of push-backs that slowing down should have ended
_HOLD = 30.0  # seconds the rate is left alone when slowing down was no help


class Pace:
    """Gives out slots to send a request in.

    Args:
        cap: never more requests at once than this.
        rpm, tpm: requests and tokens a minute that the account allows, if known.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        cap: int = 64,
        rpm: float | None = None,
        tpm: float | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if cap < 1 or (rpm is not None and rpm <= 0) or (tpm is not None and tpm <= 0):
            raise UsageError("concurrency, requests and tokens a minute must be positive")
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
        self._pushed: deque[bool] = deque(maxlen=_RECENT)  # by response at the present rates
        self._hold_until = 0.0
        self._timeouts = 0.0
        self._times: deque[float] = deque(maxlen=_LAST)  # of answers since the last push-back
        self._measured = False
        self._quiet_until = 0.0
        self._shrunk_at = -1e9
        self._next_send = 0.0
        self._grown_at = 0.0
        self._latency: float = 0.0

    @asynccontextmanager
    async def slot(self, tokens: int = 0) -> AsyncIterator[None]:
        """A context in which one request of about `tokens` tokens may be in flight."""
        await self._enter()
        try:
            if self._rpm is not None:
                await self._rpm.acquire()
            if self._tpm is not None:
                await self._tpm.acquire(min(tokens, self._tpm.max_rate))
            await self._spacing()
            yield
        finally:
            self.in_flight -= 1
            self._wake()

    def good(self, seconds: float) -> None:
        """An answer came, `seconds` after it was asked for."""
        now = self._clock()
        self._latency += (0.1 if self._latency else 1.0) * (seconds - self._latency)
        self._timeouts = max(0.0, self._timeouts - 0.25)
        self.let_through(now)
        # One more only where the present limit is in use: an idle limit proves nothing.
        if self.in_flight + 1 >= int(self.limit):
            grown = min(1.0, seconds / 0.5) if self._slow_start else 1 / self.limit
            self.limit = min(self.cap, self.limit + grown)
        if self.rate is not None:
            step, factor = max(self._latency, _STEP), _SEARCH
            if self._measured:
                step, factor = 1.0, _CREEP if self.rate > 0.9 * self._ceiling else _RETURN
            if now - self._grown_at >= step:
                self.rate *= factor
                self._grown_at = now
        self._wake()

    def let_through(self, now: float | None = None) -> None:
        """A response came that was no push-back, whatever else it was."""
        self._pushed.append(False)
        self._times.append(self._clock() if now is None else now)

    def pushed_back(self, retry_after: float | None = None) -> None:
        """The endpoint asked us to slow down, perhaps for a stated time (seconds)."""
        now = self._clock()
        if retry_after:
            self._quiet_until = max(self._quiet_until, now + retry_after)
        self._pushed.append(True)
        if now < self._hold_until or now - self._shrunk_at < max(self._latency, 0.1):
            return  # what was in flight together is one push-back
        self._grown_at = self._shrunk_at = now
        if not self._measured:
            self._shrink(now)
        times = self._times
        span = times[-1] - times[0] if times else 0.0
        accepted = (len(times) - 1) / span if len(times) >= 5 and span > 0.02 else None
        if self.rate is None:
            if accepted is not None:
                self._peak = accepted
                self.rate = max(1.0, _FIRST * accepted)
                self._quiet_until = max(self._quiet_until, now + _STEP)
                times.clear()
            return
        if self._measured and self.rate < self._peak / 2 and self._no_help():
            self.rate, self._hold_until = self._peak, now + _HOLD
            self._pushed.clear()
            return
        self._ceiling = max(self.rate, 0.9 * self._ceiling)
        if accepted is not None and span > 0.1:
            # Never far at once: a stall of our own process looks like a slow endpoint.
            self.rate = max(0.7 * self.rate, _BELOW * min(self.rate, accepted))
            if not self._measured:
                self._peak = self.rate
                self._measured = True
        elif not self._measured:
            self.rate = max(0.1, self.rate * _SHRINK)
        times.clear()
        self._quiet_until = max(self._quiet_until, now + 2 / self.rate)

    def _no_help(self) -> bool:
        recent = self._pushed
        return len(recent) == _RECENT and sum(recent) > _TOO_MANY * _RECENT

    def _shrink(self, now: float) -> None:
        self._shrunk_at = now
        self._slow_start = False
        self.limit = max(1.0, self.limit * _SHRINK)

    def slowed(self) -> None:
        """A request timed out: if many do, too many are asked at once for the server."""
        self._timeouts += 1
        if self._timeouts >= max(3.0, self.limit / 4):
            self._timeouts = 0.0
            self._shrink(self._clock())

    async def _enter(self) -> None:
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
        free = int(self.limit) - self.in_flight
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1

    async def _spacing(self) -> None:
        """Waits until the rate and a stated Retry-After allow one more."""
        while (now := self._clock()) < self._quiet_until:
            await asyncio.sleep(self._quiet_until - now)
        rate = self.rate
        if rate is None and self._latency > 0:
            # Twice what the limit can keep up: else equal latencies keep all requests in one clump,
            # and the endpoint idles while the whole clump is read and sent anew.
            rate = 2 * self.limit / self._latency
        if rate is not None:
            send_at = max(now, self._next_send)
            self._next_send = send_at + 1 / rate
            if send_at > now:
                await asyncio.sleep(send_at - now)

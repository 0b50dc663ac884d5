"""An asker's connection to an owner: one a process, which waits for an owner that is away.

It lives on an event loop of its own. What is asked while the owner is away is sent when it is back,
and what was under way is sent again: an answer that was paid for is in the owner's store by then.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

from calm.endpoint.loop_thread import LoopThread, wait_for
from calm.errors import CalmError, EndpointError, UsageError
from calm.owned.address import OwnerAddress, certificate_of_environment
from calm.owned.wire import MAX_FRAME, PATH, PROTOCOL, dump, read_error
from calm.version import VERSION

WAIT = "CALM_OWNER_WAIT"
"""Environment variable: seconds that an owner may be away before work ends, 900 where it is not
set."""
TLS_GOODBYE = 0.25
"""Seconds that the event loop is kept after the last TLS connection was closed: aiohttp does not
wait for the end of TLS, and asks for this (docs.aiohttp.org, "Graceful shutdown")."""
_HANDSHAKE = aiohttp.ClientTimeout(total=30)
_HEARTBEAT = 20.0
_UNREADABLE = {
    1002: "is none of a WebSocket's",
    1003: "is none of an owner's or an asker's",
    1007: "is no text",
    1009: "is too long",
}
"""Codes by which WebSockets are closed (RFC 6455, 7.4.1) over a message, and what that is."""
_CLOCKS = 60.0  # seconds by which clocks may differ in silence
_LONGEST_PAUSE = 5.0  # seconds between two tries to connect
_LAG = 5.0  # seconds away before it is said again

Say = Callable[[str], None]
T = TypeVar("T")


def say(line: str) -> None:
    """Writes a line to standard error: waiting for an owner is not silent."""
    sys.stderr.write(f"calm: {line}\n")
    sys.stderr.flush()


@dataclass
class _Request:
    """A frame that is not answered yet."""

    text: str
    done: asyncio.Future[Any]
    on_part: Callable[[Any], None]


class OwnerConnection:
    """Sends requests to an owner and hands back what it answers.

    Args:
        owner: its address and token.
        say: called with a line where the owner is away, back, or has another clock.
        patience: seconds that it may be away; None takes the environment's.
    """

    def __init__(
        self, owner: OwnerAddress, *, say: Say = say, patience: float | None = None
    ) -> None:
        self.owner = owner
        self.say = say
        self.patience = _patience() if patience is None else patience
        self._thread = LoopThread()
        self._numbers = itertools.count(1)
        self._requests: dict[int, _Request] = {}
        self._opened: list[str] = []
        """Frames that a new connection begins with: the contexts that are asked about."""
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._running: asyncio.Task[None] | None = None
        self._was_there = False
        self._answered = False
        """Whether the owner has answered anything on the connection of now."""
        self._told_of_clocks = False

    def number(self) -> int:
        """Returns a number that names something on this connection."""
        return next(self._numbers)

    # --- requests --------------------------------------------------------------------------------

    def call(
        self, do: str, on_part: Callable[[Any], None] = lambda part: None, **fields: Any
    ) -> Any:
        """Returns the value that the owner answers with; Ctrl-C ends the wait.

        Args:
            on_part: called in another thread with each part that comes before the value.

        Raises:
            CalmError, RowFault: what the owner says. EndpointError: it is away for too long.
            UsageError: it wants another token, or speaks another version.
        """
        return wait_for(self._start(do, fields, on_part))

    async def acall(
        self, do: str, on_part: Callable[[Any], None] = lambda part: None, **fields: Any
    ) -> Any:
        """Returns the same, for callers that run an event loop.

        Args:
            on_part: called in the caller's loop with each part that comes before the value.
        """
        loop = asyncio.get_running_loop()

        def pass_on(part: Any) -> None:  # in the connection's thread
            with contextlib.suppress(RuntimeError):  # the caller's loop has ended
                loop.call_soon_threadsafe(on_part, part)

        return await asyncio.wrap_future(self._start(do, fields, pass_on))

    def understood(self, read: Callable[[Any], T], value: Any) -> T:
        """Returns what an answer of the owner holds.

        Args:
            read: makes that of the plain value.

        Raises:
            EndpointError: the value is none of an owner's.
        """
        try:
            return read(value)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise EndpointError(
                f"the owner at {self.owner.url} answered what can't be read ({error!r}): is it one,"
                " of the same version?"
            ) from None

    def open(self, do: str, **fields: Any) -> Any:
        """Returns what `call` does; the same frame also begins every connection made later."""
        return wait_for(self._start(do, fields, keep=True))

    def close(self) -> None:
        """Ends the connection; what is under way is cancelled."""
        self._thread.cancel()
        if self.owner.url.startswith("https://"):
            self._thread.run(asyncio.sleep(TLS_GOODBYE))
        self._thread.close()

    def _start(
        self,
        do: str,
        fields: dict[str, Any],
        on_part: Callable[[Any], None] = lambda part: None,
        *,
        keep: bool = False,
    ) -> Future[Any]:
        return self._thread.start(self._request(do, fields, on_part, keep))

    async def _request(
        self, do: str, fields: dict[str, Any], on_part: Callable[[Any], None], keep: bool
    ) -> Any:
        number = self.number()
        request = _Request(
            dump({"id": number, "do": do, **fields}),
            asyncio.get_running_loop().create_future(),
            on_part,
        )
        self._requests[number] = request
        try:
            if self._running is None or self._running.done():
                self._running = asyncio.create_task(self._run())
            elif self._socket is not None:
                with contextlib.suppress(ConnectionError, aiohttp.ClientError):  # sent again later
                    await self._socket.send_str(request.text)
            value = await request.done
            if keep:
                self._opened.append(dump({"id": 0, "do": do, **fields}))
            return value
        except asyncio.CancelledError:
            if self._socket is not None:
                with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                    await self._socket.send_str(dump({"id": 0, "do": "cancel", "request": number}))
            raise
        finally:
            self._requests.pop(number, None)

    # --- the connection --------------------------------------------------------------------------

    async def _run(self) -> None:
        """Keeps a connection while there are requests; fails them where there can be none."""
        try:
            async with aiohttp.ClientSession(timeout=_HANDSHAKE) as session:
                await self._keep_connected(session)
        except CalmError as error:
            self._fail(error)
        except Exception as error:
            self._fail(EndpointError(f"the connection to the owner at {self.owner.url}: {error!r}"))

    async def _keep_connected(self, session: aiohttp.ClientSession) -> None:
        gone: float | None = None
        said, pause, told_away = 0.0, 0.05, False
        while True:
            try:
                self._answered = False
                async with self._connect(session) as socket:
                    began = time.monotonic()
                    if told_away:
                        self.say(f"the owner at {self.owner.url} is there; going on")
                    told_away, self._was_there = False, True
                    try:
                        await self._read(socket)
                    finally:
                        # One that takes connections and drops them at once is not there.
                        if self._answered or time.monotonic() >= began + _LONGEST_PAUSE:
                            gone, pause = None, 0.05
                self._check_closing(socket.close_code)
            except aiohttp.WSServerHandshakeError as refusal:
                if refusal.status not in (502, 503, 504):
                    raise self._refused(refusal) from None
                why = f"status {refusal.status}"
            except (aiohttp.ClientError, OSError, TimeoutError) as fault:
                why = str(fault) or type(fault).__name__
                if isinstance(fault, aiohttp.ClientConnectorCertificateError):
                    raise EndpointError(
                        f"the certificate of the owner at {self.owner.url} is not trusted:"
                        f" {fault.certificate_error}. Set SSL_CERT_FILE to the file of its --cert"
                    ) from None
            else:
                why = "it closed the connection"
            finally:
                self._socket = None
            now = time.monotonic()
            gone = now if gone is None else gone
            away, patience = (
                now - gone,
                self.patience if self._was_there else min(60.0, self.patience),
            )
            if away >= patience:
                raise EndpointError(
                    f"no owner of questions has answered at {self.owner.url} for {away:.0f} s"
                    f" ({why}). All answers are kept in its store; start it again there with"
                    " `calm owner serve --store STORE`, then run this again"
                )
            if self._requests and now - said >= _LAG and (self._was_there or away > 1):
                said, told_away = now, True
                left = patience - away
                self.say(
                    f"the owner at {self.owner.url} is away ({why}); waiting for it, up to"
                    f" {left:.0f} s more. Nothing that was paid is lost"
                )
            await asyncio.sleep(min(pause, max(0.0, patience - away)))
            pause = min(_LONGEST_PAUSE, 2 * pause)

    def _connect(self, session: aiohttp.ClientSession) -> Any:
        secure = self.owner.url.startswith("https://")
        return session.ws_connect(
            self.owner.url + PATH,
            headers={
                "authorization": f"Bearer {self.owner.token}",
                "x-calm-protocol": PROTOCOL,
                "x-calm-version": VERSION,
            },
            heartbeat=_HEARTBEAT,
            max_msg_size=MAX_FRAME,
            compress=0,
            ssl=certificate_of_environment() if secure else True,
        )

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Sends what is open and takes in what comes, until the connection ends."""
        greeting = await socket.receive(timeout=30)
        if greeting.type is not aiohttp.WSMsgType.TEXT:
            return
        self._compare_clocks(json.loads(greeting.data))
        for text in self._opened:
            await socket.send_str(text)
        self._socket = socket
        for request in list(self._requests.values()):
            await socket.send_str(request.text)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self._take(json.loads(message.data))

    def _check_closing(self, code: int | None) -> None:
        """Raises EndpointError where a connection was ended for what it was sent: sent again, that
        would end the next one too."""
        if code in _UNREADABLE:
            raise EndpointError(
                f"the connection to the owner at {self.owner.url} was ended for a message that"
                f" {_UNREADABLE[code]} (code {code}). All answers so far are kept in its store"
            )

    def _take(self, frame: dict[str, Any]) -> None:
        self._answered = True
        if (request := self._requests.get(frame["id"])) is None or request.done.done():
            return
        if "part" in frame:
            request.on_part(frame["part"])
        elif "error" in frame:
            request.done.set_exception(read_error(frame["error"], self.owner.url))
        else:
            request.done.set_result(frame["value"])

    def _compare_clocks(self, greeting: dict[str, Any]) -> None:
        ahead = float(greeting["clock"]) - time.time()
        if abs(ahead) > _CLOCKS and not self._told_of_clocks:
            self._told_of_clocks = True
            self.say(
                f"the clock of the owner at {self.owner.url} is {abs(ahead):.0f} s"
                f" {'ahead of' if ahead > 0 else 'behind'} this machine's: times in its store are"
                " by its own clock; set one of them right"
            )

    def _refused(self, refusal: aiohttp.WSServerHandshakeError) -> CalmError:
        url, headers = self.owner.url, refusal.headers
        words = headers.get("x-calm-refusal", "") if headers is not None else ""
        if refusal.status == 401:
            return UsageError(
                f"the owner at {url} does not take this token; take the one in the file that"
                " `calm owner serve` names there"
            )
        if words:
            return UsageError(f"the owner at {url} refuses this asker: {words}")
        return UsageError(f"at {url} is no owner of questions (status {refusal.status})")

    def _fail(self, error: Exception) -> None:
        for request in self._requests.values():
            if not request.done.done():
                request.done.set_exception(error)


def _patience() -> float:
    text = os.environ.get(WAIT, "").strip() or "900"
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"{WAIT} is to be a number of seconds, not {text!r}")
    return seconds


@atexit.register
def _close_all() -> None:
    for (pid, _), connection in _connections.items():
        if pid == os.getpid():
            connection.close()


_connections: dict[tuple[int, OwnerAddress], OwnerConnection] = {}
_lock = threading.Lock()


def connection_to(owner: OwnerAddress) -> OwnerConnection:
    """Returns this process's connection to an owner, made when it is first asked for."""
    with _lock:
        key = (os.getpid(), owner)  # threads don't come along into a forked process
        if key not in _connections:
            _connections[key] = OwnerConnection(owner)
        return _connections[key]

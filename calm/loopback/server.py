"""The HTTP server itself: asyncio, keep-alive, a thread of its own."""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from calm.loopback.answers import Answer, Rules, prompt_of, rule_answers
from calm.loopback.batches import Batches
from calm.loopback.faults import FAULTS, Case, Wire, completion, error

_REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_KEY = re.compile(rb"authorization:\s*bearer\s+(\S+)", re.IGNORECASE)


class Loopback:
    """Serves chat completions at `url` while it is entered (or between `start` and `stop`).

    Args:
        rules: the well-behaved answer: regular expressions by subgoal, applied to the prompt.
        subgoals: (name, definition) of each, answered when asked to decompose; None: from `rules`.
        answer: another well-behaved answer, from the request's body to the content.
        latency: seconds before an answer.
        faults: share of requests that end in each fault (names in `FAULTS`), at most 1 in all.
        script: faults of the first requests, in order; "" behaves. Then `faults` holds.
        bucket: requests a second it takes before it says 429; `burst` of them at once.
        refuses: parameters it answers with status 400, e.g. `temperature`, `response_format`.
        logprobs: log-probability of the first character of each true or false, if asked for.
        key: refuse any other with 401; "" takes all.
    """

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        subgoals: Sequence[tuple[str, str]] = (),
        answer: Answer | None = None,
        latency: float = 0.0,
        faults: Mapping[str, float] | None = None,
        script: Sequence[str] = (),
        bucket: float | None = None,
        burst: float | None = None,
        refuses: Sequence[str] = (),
        logprobs: bool = False,
        key: str = "",
        seed: int = 0,
        port: int = 0,
    ) -> None:
        self.answer = answer or rule_answers(rules or {}, subgoals)
        self.latency = latency
        self.faults = dict(faults or {})
        self.script = list(script)
        for name in (*self.faults, *filter(None, self.script)):
            if name not in FAULTS:
                raise ValueError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
        self.bucket = bucket
        self.burst = bucket if burst is None else burst
        self.refuses = tuple(refuses)
        self.logprobs = logprobs
        self.key = key
        self.port = port
        self.batches = Batches()
        self.counts: Counter[str] = Counter()
        """Requests by what became of them: `ok`, a fault's name, `bucket`, `refused`."""
        self.answered: Counter[str] = Counter()
        """Prompts that were answered well, or badly by the model itself; by their text."""
        self.bodies: list[dict[str, Any]] = []
        """The last requests' bodies, at most a thousand."""
        self.in_flight = self.most_in_flight = 0
        self._random = random.Random(seed)
        self._tokens, self._filled = self.burst or 0.0, time.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._thread: threading.Thread | None = None
        self._open: set[asyncio.BaseTransport] = set()

    @property
    def url(self) -> str:
        """Returns the base URL, for `--base-url`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> int:
        """Returns the number of requests for completions so far."""
        return sum(self.counts.values())

    # --- running ---------------------------------------------------------------------------------

    def start(self) -> Loopback:
        """Serves from a thread of its own; returns when it listens."""
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()

        async def serve() -> None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: _Connection(self), "127.0.0.1", self.port, backlog=4096
            )
            self.port = self._server.sockets[0].getsockname()[1]
            ready.set()

        def run() -> None:
            assert self._loop is not None
            self._loop.run_until_complete(serve())
            self._loop.run_forever()
            self._loop.close()

        self._thread = threading.Thread(target=run, name="calm-loopback", daemon=True)
        self._thread.start()
        if not ready.wait(60):
            raise RuntimeError("the loopback server did not start")
        return self

    def stop(self) -> None:
        """Closes every connection and ends the thread."""
        if self._loop is None or self._thread is None:
            return

        def close() -> None:
            assert self._server is not None
            assert self._loop is not None
            self._server.close()
            for transport in list(self._open):
                if isinstance(transport, asyncio.WriteTransport):
                    transport.abort()
            self._loop.call_later(0.02, self._loop.stop)

        self._loop.call_soon_threadsafe(close)
        self._thread.join(60)
        self._loop = self._thread = None

    def __enter__(self) -> Loopback:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- answering --------------------------------------------------------------------------------

    def respond(self, method: str, path: str, key: str, content: bytes) -> Wire:
        """Returns the response to one request."""
        path = path.split("?")[0]
        if self.key and key != self.key:
            return FAULTS["401"](Case("", "", key, 1))
        if path == "/v1/chat/completions" and method == "POST":
            return self._complete(json.loads(content), key)
        if path == "/v1/models":
            listed = [{"id": "loopback", "object": "model", "created": 0, "owned_by": "calm"}]
            return Wire(body=json.dumps({"object": "list", "data": listed}).encode())
        page = self.batches.respond(method, path, content, self._batched)
        return error(404, "no such page") if page is None else Wire(body=page)

    def _complete(self, body: dict[str, Any], key: str) -> Wire:
        if len(self.bodies) < 1000:
            self.bodies.append(body)
        if not self._admit():
            self.counts["bucket"] += 1
            return FAULTS["429"](Case("", "", key, 1))
        for name in self.refuses:
            if name in body:
                self.counts["refused"] += 1
                return error(400, f"Unsupported parameter: '{name}' is not supported", "bad")
        prompt = prompt_of(body)
        content = self.answer(body)
        fault = self._draw()
        self.counts[fault or "ok"] += 1
        if fault:
            return FAULTS[fault](Case(content, prompt, key, prompt.count("<transition id")))
        self.answered[prompt] += 1
        logprobs = _logprobs(content) if self.logprobs and body.get("logprobs") else None
        value = completion(content, prompt=prompt, model=body["model"], logprobs=logprobs)
        return Wire(body=json.dumps(value).encode())

    def _batched(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Returns status and body of one request inside a batch."""
        wire = self._complete(body, "")
        return wire.status, json.loads(wire.body)

    def _draw(self) -> str:
        if self.script:
            return self.script.pop(0)
        draw = self._random.random()
        for name, share in self.faults.items():
            if draw < share:
                return name
            draw -= share
        return ""

    def _admit(self) -> bool:
        if self.bucket is None or self.burst is None:
            return True
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.bucket)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _logprobs(content: str) -> dict[str, Any]:
    """Returns the tokens of an answer; true and false are single, with odds of nine to one."""
    tokens = re.findall(r"true|false|.", content, re.DOTALL)
    other = {"true": "false", "false": "true"}

    def token(text: str) -> dict[str, Any]:
        likely = {"token": text, "logprob": -0.10536 if text in other else 0.0}
        rest = [{"token": other[text], "logprob": -2.302585}] if text in other else []
        return {**likely, "top_logprobs": [likely, *rest]}

    return {"content": [token(t) for t in tokens]}


class _Connection(asyncio.Protocol):
    """Serves one client's connection, whose requests come one after another."""

    def __init__(self, server: Loopback) -> None:
        self.server = server
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server._open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server._open.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            length = _LENGTH.search(head)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < size:
                return
            content, self.buffer = self.buffer[end + 4 : size], self.buffer[size:]
            method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            key = _KEY.search(head)
            self._answer(method, path, key[1].decode("latin-1") if key else "", content)

    def _answer(self, method: str, path: str, key: str, content: bytes) -> None:
        server = self.server
        try:
            wire = server.respond(method, path, key, content)
        except Exception as problem:
            wire = error(500, f"the loopback server itself failed: {problem!r}")
        server.in_flight += 1
        server.most_in_flight = max(server.most_in_flight, server.in_flight)
        loop = asyncio.get_running_loop()
        # Push-back is quick; an answer takes its time.
        loop.call_later(server.latency if wire.status == 200 else 0.0, self._send, wire)

    def _send(self, wire: Wire) -> None:
        self.server.in_flight -= 1
        if self.transport.is_closing() or wire.end == "hang":
            return
        if wire.end == "reset":
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
            return
        if wire.raw:
            self.transport.write(wire.raw)
            self.transport.close()
            return
        length = len(wire.body) if wire.stated_length is None else wire.stated_length
        headers = {"content-type": "application/json", **(wire.headers or {})}
        lines = [f"HTTP/1.1 {wire.status} {_REASONS.get(wire.status, 'Status')}"]
        lines += [f"{k}: {v}" for k, v in headers.items()]
        head = "\r\n".join([*lines, f"content-length: {length}", "", ""]).encode()
        if wire.drip:
            self.transport.write(head)
            self._drip(wire.body, wire.drip)
            return
        self.transport.write(head + wire.body)
        if wire.end == "close":
            self.transport.close()

    def _drip(self, body: bytes, rate: float) -> None:
        if body and not self.transport.is_closing():
            self.transport.write(body[:1])
            loop = asyncio.get_running_loop()
            loop.call_later(1 / rate, self._drip, body[1:], rate)

"""Every way the loopback server can fail, by name: what it sends instead of a good answer.

The table follows what was seen of real endpoints; see the fault tests in tests/calm.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any


@dataclass(frozen=True)
class Wire:
    """Says what goes out on the connection, and how it ends."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    stated_length: int | None = None
    """Content-Length, where it is a lie."""
    drip: float = 0.0
    """Bytes a second; 0 sends all at once."""
    raw: bytes = b""
    """Sent as it is in place of a response, and the connection closed; it may be no HTTP at all."""
    end: str = "keep"
    """`keep` the connection, `close` it, `reset` it, or `hang` and send nothing."""


def completion(
    content: str | None,
    finish: str | None = "stop",
    *,
    prompt: str = "",
    model: str = "loopback",
    refusal: str | None = None,
    logprobs: object = None,
) -> dict[str, Any]:
    """Returns a chat completion object; a token is four characters."""
    prompt_tokens, completion_tokens = len(prompt) // 4, max(1, len(content or "") // 4)
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
                "logprobs": logprobs,
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def error(status: int, message: str, code: str | None = None, **headers: str) -> Wire:
    """Returns an error as OpenAI's API words it."""
    body = {"error": {"message": message, "type": code or "error", "param": None, "code": code}}
    return Wire(
        status, json.dumps(body).encode(), {k.replace("_", "-"): v for k, v in headers.items()}
    )


@dataclass(frozen=True)
class Case:
    """Holds what a fault may build on: the good answer, the question's size, the key sent."""

    content: str
    prompt: str
    key: str
    ids: int


def _answer(content: str | None, finish: str | None = "stop", **extra: Any) -> Wire:
    return Wire(body=json.dumps(completion(content, finish, **extra)).encode())


def _edit(case: Case, change: Callable[[dict[str, Any]], None]) -> Wire:
    value = json.loads(case.content)
    change(value)
    return _answer(json.dumps(value), prompt=case.prompt)


def _first(value: dict[str, Any]) -> dict[str, Any]:
    """Returns the first transition's answer."""
    inner = next(iter(value.values()), None)
    return inner if isinstance(inner, dict) else value


def _without_choices(choices: object) -> Wire:
    return Wire(body=json.dumps(completion("") | {"choices": choices}).encode())


_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"

FAULTS: dict[str, Callable[[Case], Wire]] = {
    # The server pushes back, or is broken.
    "429": lambda c: error(429, "Rate limit reached", "rate_limit_exceeded"),
    "429-after": lambda c: error(429, "Rate limit reached", retry_after="1"),
    "429-date": lambda c: error(
        429, "Rate limit reached", retry_after=formatdate(time.time() + 2, usegmt=True)
    ),
    "429-long": lambda c: error(429, "Rate limit reached", retry_after="300"),
    "quota": lambda c: error(429, "You exceeded your current quota", "insufficient_quota"),
    "402": lambda c: error(402, "Insufficient Balance"),
    "500": lambda c: error(500, "The server had an error"),
    "503-html": lambda c: Wire(503, _HTML, {"content-type": "text/html"}),
    # The request is refused.
    "401": lambda c: error(401, f"Incorrect API key provided: {c.key}", "invalid_api_key"),
    "403": lambda c: error(403, "Project does not have access to the model", "model_not_found"),
    "404": lambda c: error(404, "The model does not exist", "model_not_found"),
    "context": lambda c: error(
        400, "This model's maximum context length is 4096 tokens", "context_length_exceeded"
    ),
    "filter-400": lambda c: error(400, "The prompt was filtered", "content_filter"),
    # A good status with something else inside.
    "html": lambda c: Wire(200, _HTML, {"content-type": "text/html"}),
    "error-200": lambda c: Wire(body=b'{"error": {"message": "upstream failed", "code": 502}}'),
    "empty-object": lambda c: Wire(body=b"{}"),
    "empty-body": lambda c: Wire(body=b""),
    "empty-choices": lambda c: _without_choices([]),
    "null-choices": lambda c: _without_choices(None),
    "malformed": lambda c: Wire(body=b'{"id": "chatcmpl", "choices": [{"index": 0, "mess'),
    # The connection fails.
    "hang": lambda c: Wire(end="hang"),
    "drip": lambda c: Wire(body=_answer(c.content).body, drip=2.0),
    "cut": lambda c: Wire(body=_answer(c.content).body[:40], stated_length=400, end="close"),
    "reset": lambda c: Wire(end="reset"),
    "disconnect": lambda c: Wire(raw=b"HTTP/1.1 20"),
    # No HTTP, or more of it than a client takes.
    "bad-chunk": lambda c: Wire(raw=_OK + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n"),
    "long-header": lambda c: Wire(raw=_OK + b"X-A: " + b"a" * 9000 + b"\r\n\r\n"),
    "ssh-banner": lambda c: Wire(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
    # The model answers, but not what was asked.
    "truncated-json": lambda c: _answer(c.content[: len(c.content) // 2], prompt=c.prompt),
    "length": lambda c: _answer(c.content[: len(c.content) // 2], "length", prompt=c.prompt),
    "no-finish": lambda c: _answer(c.content[: len(c.content) // 2], None, prompt=c.prompt),
    "refusal": lambda c: _answer(None, refusal="I can't help with that.", prompt=c.prompt),
    "filter": lambda c: _answer("", "content_filter", prompt=c.prompt),
    "prose": lambda c: _answer("Sure! The player picked up the key, so yes.", prompt=c.prompt),
    "fence": lambda c: _answer(f"```json\n{c.content}\n```", prompt=c.prompt),
    "wrong-schema": lambda c: _answer('{"answer": "yes"}', prompt=c.prompt),
    "missing-subgoal": lambda c: _edit(c, lambda v: _first(v).pop(next(iter(_first(v))))),
    "extra-subgoal": lambda c: _edit(c, lambda v: _first(v).update({"win the game": True})),
    "string-boolean": lambda c: _edit(
        c, lambda v: _first(v).update(dict.fromkeys(_first(v), "true"))
    ),
    "key-twice": lambda c: _answer(
        c.content[:-1] + "," + c.content[1:] if c.ids == 1 else c.content, prompt=c.prompt
    ),
    "missing-id": lambda c: _edit(c, lambda v: v.pop(next(reversed(v)))),
    "echo-key": lambda c: _answer(f"Your key is {c.key}", prompt=c.prompt),
}
"""From a fault's name to what it sends."""

CONTENT_FAULTS = frozenset(
    ("truncated-json", "length", "no-finish", "refusal", "filter", "prose", "fence", "wrong-schema",
     "missing-subgoal", "extra-subgoal", "string-boolean", "key-twice", "missing-id", "echo-key")
)  # fmt: skip
"""Faults of the answer, not of its transport: the model was asked, and paid."""

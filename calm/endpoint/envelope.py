"""What an endpoint sent back, taken out of its envelope and checked: HTTP 200 is not success.

A body may be HTML, an error object, an object without choices, or cut short; each is `Malformed`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calm.records import Usage


class Malformed(Exception):
    """A response with a good status whose body is no chat completion."""


@dataclass(frozen=True, slots=True)
class TokenOdds:
    """One token of an answer with its log-probability and those of the likeliest others there."""

    token: str
    logprob: float
    top: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reply:
    """One chat completion: the text, why it ended, and what it cost."""

    text: str
    finish: str | None = "stop"
    """`stop`, `length`, `content_filter`, ...; None if the endpoint did not say."""
    refusal: str = ""
    odds: tuple[TokenOdds, ...] = ()
    """Log-probabilities, where they were asked for and given."""
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    """The model as the endpoint names it."""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt to get an answer: a reply, or what went wrong."""

    started: float
    seconds: float
    outcome: str = "ok"
    reply: Reply | None = None
    detail: str = ""
    cost: float | None = None


def _int(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(content: object) -> str:
    """Content as text; some servers send a list of parts."""
    if isinstance(content, list):
        return "".join(str(_dict(part).get("text") or "") for part in content)
    return content if isinstance(content, str) else ""


def _odds(logprobs: object) -> tuple[TokenOdds, ...]:
    tokens = _dict(logprobs).get("content")
    if not isinstance(tokens, list):
        return ()
    try:
        return tuple(
            TokenOdds(
                str(t["token"]),
                float(t["logprob"]),
                {str(o["token"]): float(o["logprob"]) for o in t.get("top_logprobs") or ()},
            )
            for t in tokens
        )
    except (KeyError, TypeError, ValueError):
        return ()  # confidence is an extra: without it the answer still counts


def completion(body: object, *, request_id: str = "") -> Reply:
    """The reply in a chat completion object (already read from JSON).

    Raises:
        Malformed: it is something else.
    """
    if not isinstance(body, dict):
        raise Malformed(f"a JSON {type(body).__name__} instead of a chat completion")
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        if error := body.get("error"):
            raise Malformed(f"an error with status 200: {str(error)[:300]}")
        raise Malformed("a chat completion without choices")
    choice = choices[0]
    message = _dict(choice.get("message"))
    usage = _dict(body.get("usage"))
    details = _dict(usage.get("prompt_tokens_details"))
    finish = choice.get("finish_reason")
    # Some servers put a reasoning model's whole answer there (vllm#16182).
    text = _text(message.get("content")) or _text(message.get("reasoning_content"))
    return Reply(
        text=text,
        finish=finish if isinstance(finish, str) else None,
        refusal=_text(message.get("refusal")),
        odds=_odds(choice.get("logprobs")),
        usage=Usage(
            prompt_tokens=_int(usage.get("prompt_tokens")),
            cached_tokens=_int(details.get("cached_tokens")),
            completion_tokens=_int(usage.get("completion_tokens")),
        ),
        model=str(body.get("model") or ""),
        request_id=request_id or str(body.get("id") or ""),
    )


def read_body(content: bytes, content_type: str = "", *, request_id: str = "") -> Reply:
    """The reply in an HTTP body.

    Raises:
        Malformed: it is HTML, broken JSON, or no chat completion.
    """
    start = content.lstrip()[:200].lower()
    if "html" in content_type.lower() or start.startswith((b"<!doctype", b"<html")):
        raise Malformed("an HTML page instead of a chat completion")
    if not content.strip():
        raise Malformed("an empty body")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise Malformed(
            f"a body that is not JSON: {content[:80].decode('utf-8', 'replace')!r}"
        ) from None
    return completion(body, request_id=request_id)

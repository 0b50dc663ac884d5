"""What an endpoint sent back, taken out of its envelope and checked: HTTP 200 is not success.

A body may be HTML, an error object, an object without choices, or cut short; each is `Malformed`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calm.records import Usage

BLANK = " \t\r\n\u00a0\u200b\u2060\ufeff"
"""Characters that a content may consist of and still say nothing."""

CUT = frozenset(
    [
        "length",
        "max_tokens",
        "max_length",
        "max_output_tokens",
        "max_completion_tokens",
        "model_length",
        "token_limit",
        "model_context_window_exceeded",
        "max_time",
    ]
)
"""Reasons to end, as `plain_finish` writes them, that say that the answer reached its limit."""

_FAILED = re.compile(
    r"error|abort|cancel|fail|time_?out|overload|unavailable|capacity|insufficient_system"
)
"""Found in reasons to end that are faults of the server."""

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""Half of a character that JSON writes as two (a surrogate); one alone is no text."""

_MOST_TOKENS = 10**8
_MOST_LOGPROB = 0.01
"""A log-probability is at most 0; some servers round."""

_TEXT_PARTS = (None, "text", "output_text")
_THOUGHT_FIELDS = (
    "reasoning_content", "reasoning", "thinking", "thinking_content", "thought", "thoughts",
    "reasoning_details", "thinking_blocks",
)  # fmt: skip


class Malformed(Exception):
    """Raised for a response with a good status whose body is no chat completion, or a failed one.

    Args:
        busy: the server says that it has too much to do.
    """

    def __init__(self, detail: str, *, busy: bool = False) -> None:
        super().__init__(detail)
        self.busy = busy


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
    message: str = ""
    """The whole message as JSON, where it holds more than its content: thoughts, tool calls."""

    @property
    def is_thought(self) -> bool:
        """Returns whether `text` stood in a field for thoughts, the content being blank."""
        return (
            bool(self.text and self.message)
            and _text(_dict(json.loads(self.message)).get("content")).strip(BLANK) == ""
        )

    @property
    def raw(self) -> str:
        """Returns what came from the model, for people: its answer, else the whole message."""
        return self.text or self.message


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt to get an answer: a reply, or what went wrong.

    The reply of one that failed is blank; it tells the most that a lost answer may have cost.
    """

    started: float
    seconds: float
    outcome: str = "ok"
    reply: Reply | None = None
    detail: str = ""
    cost: float | None = None
    endpoint: str = ""
    """Address that was asked, where it is one of several; "" for the only one."""


def _count(value: object) -> int:
    """Returns a number of tokens, however it is written; 0 where it is none, or beyond reason."""
    try:
        number = float(value) if isinstance(value, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return 0
    return int(number) if not isinstance(value, bool) and 0 < number <= _MOST_TOKENS else 0


def _usage(counts: Mapping[str, Any]) -> Usage:
    """Returns the tokens that a server counted, those of the prompt with its cached ones.

    Some servers count the cached ones apart. It shows where they are more than the prompt's, or
    where the total holds them beside it; where neither does, they count as a part of the prompt.
    """
    prompt = _count(counts.get("prompt_tokens"))
    cached = _count(_dict(counts.get("prompt_tokens_details")).get("cached_tokens"))
    completion = _count(counts.get("completion_tokens"))
    total = _count(counts.get("total_tokens"))
    if not prompt:
        cached = 0
    elif cached > prompt or total == prompt + cached + completion:
        prompt += cached
    return Usage(prompt_tokens=prompt, cached_tokens=cached, completion_tokens=completion)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(content: object) -> str:
    """Returns content as text; some servers send a list of parts, thoughts among them."""
    if isinstance(content, list):
        parts = (_dict(part) for part in content)
        return "".join(str(p.get("text") or "") for p in parts if p.get("type") in _TEXT_PARTS)
    return content if isinstance(content, str) else ""


def _thought(message: Mapping[str, Any]) -> str:
    """Returns the first text among the fields for thoughts; some servers put an answer there."""
    for name in _THOUGHT_FIELDS:
        content = message.get(name)
        if isinstance(content, list):  # parts of whatever type are thoughts here
            content = "".join(str(_dict(part).get("text") or "") for part in content)
        if isinstance(content, str) and content.strip(BLANK):
            return content
    return ""


def _refusal(message: Mapping[str, Any]) -> str:
    """Returns the words with which the model declined, "" if it did not."""
    content = message.get("content")
    parts = [_dict(part) for part in content] if isinstance(content, list) else []
    return _text(message.get("refusal")) or "".join(_text(part.get("refusal")) for part in parts)


def _beyond_content(message: Mapping[str, Any]) -> str:
    """Returns a message as JSON, "" where its content and a refusal are all it holds."""
    plain = ("role", "content", "refusal")
    more = any(value for name, value in message.items() if name not in plain)
    parts = message.get("content")
    return json.dumps(message) if more or not isinstance(parts, str | None) else ""


def plain_finish(finish: object) -> str:
    """Returns a reason to end without what servers write differently; "" if it is none.

    >>> plain_finish("FinishReason.SAFETY"), plain_finish("content-filter")
    ('safety', 'content_filter')
    """
    if not isinstance(finish, str):
        return ""
    return finish.strip().lower().rpartition(".")[2].replace("-", "_").replace(" ", "_")


def _check_failure(body: Mapping[str, Any], choice: Mapping[str, Any], *, is_blank: bool) -> None:
    """Refuses a completion that says itself that the server failed.

    Raises:
        Malformed: the choice ended in an error, or holds one, or nothing but the body's.
    """
    message = _dict(choice.get("message"))
    finish = choice.get("finish_reason")
    error = choice.get("error") or message.get("error") or (is_blank and body.get("error"))
    if error:
        code = _dict(error).get("code")
        raise Malformed(
            f"an error inside a completion: {str(error)[:300]}",
            busy=str(code) in ("429", "503", "529"),
        )
    if _FAILED.search(plain_finish(finish)):
        raise Malformed(f"a completion that ended in {finish!r}")


def token_odds(logprobs: object) -> tuple[TokenOdds, ...]:
    """Returns the tokens of a choice's `logprobs`; none where they are not given, or are none."""
    tokens = _dict(logprobs).get("content")
    if not isinstance(tokens, list):
        return ()
    try:
        return tuple(
            TokenOdds(
                str(t["token"]),
                _logprob(t["logprob"]),
                {str(o["token"]): _logprob(o["logprob"]) for o in t.get("top_logprobs") or ()},
            )
            for t in tokens
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return ()  # confidence is an extra: without it the answer still counts


def _logprob(value: Any) -> float:
    number = float(value)
    if not number <= _MOST_LOGPROB:  # NaN as well
        raise ValueError(f"{number} is no log-probability")
    return number


def completion(body: object, *, request_id: str = "") -> Reply:
    """Returns the reply in a chat completion object (already read from JSON).

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
    finish = choice.get("finish_reason")
    text = _text(message.get("content"))
    _check_failure(body, choice, is_blank=not text.strip(BLANK))
    if not text.strip(BLANK):
        # Some servers put a reasoning model's whole answer there (vllm#16182); of one that was cut
        # it is the beginning of a thought.
        cut = plain_finish(finish) in CUT
        text = "" if cut else _thought(message)
    return Reply(
        text=text,
        finish=finish if isinstance(finish, str) else None,
        refusal=_refusal(message),
        odds=token_odds(choice.get("logprobs")),
        usage=_usage(_dict(body.get("usage"))),
        model=str(body.get("model") or ""),
        request_id=request_id or str(body.get("id") or ""),
        message=_beyond_content(message),
    )


def load_json(content: bytes) -> Any:
    """Returns what JSON holds, with "?" for halves of characters, which no file can hold.

    Raises:
        ValueError, RecursionError: it is none.
    """
    value = json.loads(content)
    if _HALF.search(content):
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def read_body(content: bytes, content_type: str = "", *, request_id: str = "") -> Reply:
    """Returns the reply in an HTTP body.

    Raises:
        Malformed: it is HTML, broken JSON, or no chat completion.
    """
    start = content.lstrip()[:200].lower()
    if "html" in content_type.lower() or start.startswith((b"<!doctype", b"<html")):
        raise Malformed("an HTML page instead of a chat completion")
    if not content.strip():
        raise Malformed("an empty body")
    try:
        body = load_json(content)
    except (ValueError, RecursionError):
        raise Malformed(
            f"a body that is not JSON: {content[:80].decode('utf-8', 'replace')!r}"
        ) from None
    return completion(body, request_id=request_id)

"""What can go wrong between us and an endpoint, and what each fault calls for.

Three answers to a fault: try again (`Transient`), give this row up (`RowFault`), or stop the run
(`EndpointError`, `BudgetError`: retrying a refused key or an empty account helps nobody).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from calm.errors import BudgetError, EndpointError
from calm.records import Verdict

_AWAY = ("connection", "timeout", "502", "503", "504", "529")
"""Kinds of faults of a server that is away."""


class NoQuota(BudgetError):
    """The account at one address has nothing left; one at another address may."""


class Transient(Exception):
    """A fault that may go away by itself: the request is to be sent again, later.

    Args:
        kind: short name for counting, e.g. `429`, `timeout`.
        detail: what the endpoint said, without keys.
        retry_after: seconds the endpoint asked us to wait, if it did.
        pushback: the endpoint is telling us to slow down.
        limit: faults of the same kind and detail in a row after which to give up; None: at the
            deadline.
        lost: an answer may have been made, and paid for, that did not arrive.
    """

    def __init__(
        self,
        kind: str,
        detail: str = "",
        *,
        retry_after: float | None = None,
        pushback: bool = False,
        limit: int | None = None,
        lost: bool = False,
    ) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        self.pushback = pushback
        self.limit = limit
        self.lost = lost

    @property
    def is_away(self) -> bool:
        """Returns whether the server is away; any other fault may be due to what it was asked."""
        return self.kind in _AWAY

    @property
    def is_crash(self) -> bool:
        """Returns whether the server failed over a request, as far as its status tells."""
        return self.kind.startswith("5") and not self.is_away and not self.pushback


class RowFault(Exception):
    """A fault of one question, while others may be answered: too long, filtered, malformed."""

    def __init__(self, kind: str, detail: str, verdict: Verdict = Verdict.ERROR) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.verdict = verdict


class Unsupported(Exception):
    """A parameter that the endpoint does not know: the request is to be sent without it."""

    def __init__(self, parameter: str, detail: str, sent: object = None) -> None:
        super().__init__(f"{parameter} is not supported: {detail}")
        self.parameter = parameter
        self.detail = detail
        self.sent = sent


_NO_QUOTA = re.compile(
    r"insufficient[ _]quota|exceeded your current quota|insufficient[ _](?:balance|credit|funds)"
    r"|billing[ _](?:hard[ _]limit|not[ _]active)|payment required|out of credits",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context[ _](?:length|window|size)|maximum context|too many tokens|prompt is too long"
    r"|exceeds? the (?:available|maximum|model)|input is too long",
    re.IGNORECASE,
)
_FILTER = re.compile(r"content[ _](?:filter|management|policy)|safety", re.IGNORECASE)
_NOT_KNOWN = re.compile(
    r"unsupported|not support|unrecognized|unknown|unexpected|not permitted|extra inputs|invalid"
    r"|not allowed|only the default|not available|does(?:n't| not) (?:support|allow)",
    re.IGNORECASE,
)
# What we may send beyond model and messages, as error messages name it. Order: see `unsupported`.
OPTIONAL = (
    "max_completion_tokens",
    "max_tokens",
    "response_format",
    "top_logprobs",
    "logprobs",
    "temperature",
    "top_p",
    "reasoning_effort",
    "seed",
)
_RESPONSE_FORMAT = re.compile(r"response_format|json_schema|json_object|guided|grammar|schema")


def unsupported(detail: str, sent: Mapping[str, object]) -> str | None:
    """Returns which of the optional parameters sent an error message refuses; None for none."""
    if not _NOT_KNOWN.search(detail):
        return None
    named = [p for p in OPTIONAL if p in sent and re.search(rf"\b{p}\b", detail)]
    if named:
        # "max_tokens is not supported, use max_completion_tokens": the first named is the refused.
        return min(named, key=lambda p: detail.index(p))
    return (
        "response_format" if "response_format" in sent and _RESPONSE_FORMAT.search(detail) else None
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds of `retry-after-ms` or `Retry-After` (seconds or a date), or None."""
    if (ms := headers.get("retry-after-ms")) is not None:
        try:
            return _seconds(float(ms) / 1000)
        except ValueError:
            pass
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return _seconds(float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _seconds(number: float) -> float | None:
    """Returns a time to wait; None for what is none (NaN, infinity)."""
    return max(0.0, number) if math.isfinite(number) else None


def fault_of(
    status: int,
    detail: str,
    headers: Mapping[str, str],
    *,
    sent: Mapping[str, object],
    endpoint: str,
    key_env: str = "OPENAI_API_KEY",
    scrub: Callable[[str], str] = str,
) -> Exception:
    """Returns the fault that an HTTP error status means.

    Args:
        detail: the body or message, as it came.
        headers: with lower-case names.
        sent: the request's body.
        endpoint, key_env: address, and the variable that holds the key; for messages.
        scrub: takes keys out of what is shown; what the fault is, the whole text tells.
    """
    short = " ".join(scrub(detail).split())[:300]
    model = str(sent.get("model", ""))
    if status == 402 or (status in (400, 403, 429) and _NO_QUOTA.search(detail)):
        return NoQuota(
            f"the account at {endpoint} has no quota left: {short}."
            " Add credit, then run the same command again: what is answered is kept"
        )
    if status == 401:
        return EndpointError(
            f"{endpoint} refused the key: {short}. Set {key_env} to a key that is valid there"
        )
    if status == 403:
        use = f" to use model {model!r}" if model else ""
        return EndpointError(
            f"{endpoint} does not allow this key{use}: {short}."
            " Ask for access, or choose another model"
        )
    if status == 404:
        what = f"model {model!r} or no chat completions" if model else "such page"
        name = "the model's name, and " if model else ""
        return EndpointError(
            f"{endpoint} knows no {what}: {short}."
            f" Check {name}that the base URL ends as the server wants (often /v1)"
        )
    if status == 429:
        return Transient("429", short, retry_after=retry_after(headers), pushback=True)
    if status in (408, 409, 425) or status >= 500:
        # An overloaded server says 503 or 529; any other 5xx that stays the same is a fault of its.
        overloaded = status in (503, 529) or retry_after(headers) is not None
        return Transient(
            str(status),
            short,
            retry_after=retry_after(headers),
            pushback=overloaded,
            limit=None if retry_after(headers) is not None else 6,
        )
    if parameter := unsupported(detail, sent):
        return Unsupported(parameter, short, sent[parameter])
    if _TOO_LONG.search(detail) or status == 413:
        return RowFault("too long", short)
    if _FILTER.search(detail):
        return RowFault("filtered", short, Verdict.FILTERED)
    return RowFault(str(status), short)

"""What a request asks for beyond an answer, and what can be left out of it one thing at a time.

A schema and log-probabilities are extras: an answer without them still counts. Some servers fall
over them (a 500, not a refusal in words), which only shows when they are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LOGPROBS = ("logprobs", "top_logprobs")


def extras_of(body: Mapping[str, Any]) -> frozenset[str]:
    """Returns the names of the extras in a request: `logprobs`, `json_schema`, `json_object`."""
    form = body.get("response_format", {}).get("type")
    return frozenset(name for name in (form, "logprobs" if "logprobs" in body else None) if name)


def without_extras(card: Mapping[str, Any], body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns what a card would say, each in place of the last, if an extra had to be left out.

    First each extra by itself, then all of them; none where the request has no extra.
    """
    extras = extras_of(body)
    no_logprobs = {"drop": sorted({*card.get("drop", ()), *LOGPROBS})}
    news: list[dict[str, Any]] = []
    if "logprobs" in extras:
        news.append(no_logprobs)
    if "json_schema" in extras:
        news.append({"format": "json"})
    if "json_schema" in extras or "json_object" in extras:
        news.append({"format": "plain"})
        if "logprobs" in extras:
            news.append({"format": "plain"} | no_logprobs)
    return news

"""What is known of an endpoint's abilities, as a card: what it makes of a request, what it learns.

A card is plain values. `drop`: names of parameters that are not sent. `format`: how a schema is
sent, "schema" (the default), "json" for JSON mode, "plain" for not at all. `max_completion_tokens`:
whether the limit of an answer goes by that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calm.endpoint.extras import LOGPROBS


def request_body(
    model: str,
    prompt: str,
    params: Mapping[str, Any],
    schema: Mapping[str, Any] | None,
    card: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns a request as an endpoint of this card takes it.

    Args:
        params: sampling parameters; `prefill` is the beginning of the answer, sent as an
            unfinished turn of the model.
        schema: JSON schema of the answer, if one is wanted.
    """
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], **params}
    if prefill := body.pop("prefill", ""):
        body["messages"].append({"role": "assistant", "content": prefill})
    if card.get("max_completion_tokens") and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    for name in card.get("drop", ()):
        body.pop(name, None)
    form = card.get("format", "schema")
    if schema is not None and form == "schema":
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": dict(schema)},
        }
    elif schema is not None and form == "json":
        body["response_format"] = {"type": "json_object"}
    return body


def learned_from_refusal(card: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Returns what a card says anew once a parameter was refused; the next request sends less.

    Args:
        name: of the parameter.
        value: that it had in the request.
    """
    if name == "response_format":
        # JSON mode may be known where schemas are not; only a second refusal rules it out.
        return {"format": "json" if (value or {}).get("type") == "json_schema" else "plain"}
    if name == "max_tokens":
        return {"max_completion_tokens": True}
    names = LOGPROBS if name in LOGPROBS else (name,)
    return {"drop": sorted({*card.get("drop", ()), *names})}

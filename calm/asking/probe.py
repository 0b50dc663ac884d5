"""Finds out what an endpoint can do, with a dozen small requests: its card.

The card is kept in the store, and whatever asks that model there starts from it. An endpoint that
was never probed is found out about while it is asked; only that costs refused requests.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from calm.asking.form import booleans_schema
from calm.asking.parse import read_reply
from calm.endpoint.client import Connection, Endpoint
from calm.endpoint.envelope import Call, Reply
from calm.endpoint.faults import RowFault, Transient, Unsupported
from calm.endpoint.transport import Transport
from calm.errors import CalmError, EndpointError, UsageError
from calm.store.store import Store

_ASK = (
    "Is the sky blue, and is grass made of iron? Answer with one JSON object and nothing else:"
    ' {"sky": true or false, "grass": true or false}'
)
_SCHEMA = booleans_schema(["sky", "grass"], 1)
_LONGEST = 1024  # tokens of an answer that is read: a model may think before it
_RUNGS = (1, 4, 16, 64)  # requests at once that are tried


def _json_schema(schema: Mapping[str, object]) -> dict[str, Any]:
    spec = {"name": "answer", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": spec}


_FORMATS: Mapping[str, Mapping[str, Any]] = {
    "schema": {"response_format": _json_schema(_SCHEMA)},
    "json": {"response_format": {"type": "json_object"}},
    "plain": {},
}
"""Forms of answer by what a request for them holds, the strictest first."""

_CONTEXT_FIELDS = (
    "max_model_len", "loaded_context_length", "context_window", "context_length", "n_ctx",
)  # fmt: skip
"""Where lists of models say how much is served; not how much a model was trained on."""

_NO_LIST = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What reading something else as a list of models ends in."""


def probe_and_keep(
    url: str | None,
    model: str | None,
    store: Store,
    key_env: str = "OPENAI_API_KEY",
    *,
    concurrency: bool = True,
) -> dict[str, Any]:
    """Returns the card of a model at an address (see `probe`), which is kept in the store.

    Args:
        url: None for `OPENAI_BASE_URL` or OpenAI's own.
        model: None for the first that the endpoint lists.
        key_env: environment variable that holds the key.
        concurrency: also try how many requests at once it takes.

    Raises:
        UsageError: no model was named, and the endpoint lists none.
        EndpointError: it can't be reached, or refuses the key or the model.
    """
    if model is None:
        models = list_models(url, key_env)
        if not models:
            raise UsageError("the endpoint lists no models; name one with --model")
        model = models[0]
    endpoint = Endpoint(Connection(model, url, key_env))
    address = endpoint.address
    endpoint.card |= store.card(address, model)
    endpoint.keep_card = lambda news: store.keep_card(address, model, news)

    async def probe_and_close() -> dict[str, Any]:
        try:
            return await probe(endpoint, concurrency=concurrency)
        finally:
            await endpoint.aclose()

    card = asyncio.run(probe_and_close())
    store.keep_card(address, model, card)
    return card


async def probe(endpoint: Endpoint, *, concurrency: bool = True) -> dict[str, Any]:
    """Returns the card of an endpoint: what it takes and what it gives.

    - `readable`: whether the simplest answer could be read in any form; if not, `unreadable` says
      why, and no judgement can be expected from it
    - `format`: how an answer's form can be asked for (`schema`, `json`, `plain`)
    - `schema`: `enforced`, `accepted` (taken, and not kept to where the prompt asks for something
      else) or `refused`
    - `drop`: names of what it refuses to be sent
    - `logprobs`, `usage`: whether it gives them
    - `seed`: whether the same seed gave the same answer twice
    - `context`: the longest prompt and answer in tokens, as it is served; None if it does not say
    - `concurrency`: requests at once that were answered without loss of speed
    - `seconds`: of an answer

    Raises:
        EndpointError: it can't be reached, or refuses the key or the model.
    """
    card: dict[str, Any] = {"model": endpoint.model, "address": endpoint.address}
    first = await _first(endpoint)
    card["seconds"] = round(first.seconds, 3)
    assert first.reply is not None
    card["served_by"] = first.reply.model
    card["usage"] = first.reply.usage.prompt_tokens > 0
    card |= await _format(endpoint, first.reply)
    card["schema"] = await _schema_holds(endpoint)
    plain = {"max_tokens": 64}
    card["drop"] = [
        name
        for name, params in (
            ("temperature", {"temperature": 0}),
            ("top_p", {"top_p": 0.9}),
            ("seed", {"seed": 7}),
            ("logprobs", {"logprobs": True, "top_logprobs": 2}),
        )
        if not await _takes(endpoint, plain | params)
    ]
    if "logprobs" in card["drop"]:
        card["drop"].append("top_logprobs")
    card["max_completion_tokens"] = bool(endpoint.card.get("max_completion_tokens"))
    card["logprobs"] = await _gives_logprobs(endpoint, card)
    card["seed"] = await _seed_holds(endpoint, card)
    card["context"] = await _context(endpoint)
    if concurrency:
        card["concurrency"] = await _concurrency(endpoint, first.seconds)
    return card


async def _first(endpoint: Endpoint) -> Call:
    """Returns one answer, by whatever form the endpoint takes; raises if it can't be had."""
    try:
        return await endpoint.ask(_ASK, {"max_tokens": _LONGEST, "temperature": 0}, schema=_SCHEMA)
    except RowFault as fault:
        raise CalmError(
            f"{endpoint.address} does not answer the simplest question: {fault}"
        ) from None


async def _raw(endpoint: Endpoint, body: Mapping[str, Any]) -> Call | None:
    """Returns the answer to a request as it is; None if refused. Tries again what may go away."""
    for attempt in range(4):
        clock, started = time.monotonic(), time.time()
        try:
            reply = await endpoint.transport.send(dict(body))
        except (Unsupported, RowFault):
            return None
        except Transient as fault:
            if attempt == 3 or fault.kind in ("500", "501"):
                return None
            await asyncio.sleep(fault.retry_after or 0.5)
        else:
            return Call(started, time.monotonic() - clock, reply=reply)
    return None


def _body(endpoint: Endpoint, params: Mapping[str, Any]) -> dict[str, Any]:
    dropped = {k: v for k, v in endpoint.card.items() if k == "max_completion_tokens"}
    body = {"model": endpoint.model, "messages": [{"role": "user", "content": _ASK}], **params}
    if dropped.get("max_completion_tokens") and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    return body


async def _takes(endpoint: Endpoint, params: Mapping[str, Any]) -> bool:
    return await _raw(endpoint, _body(endpoint, params)) is not None


async def _format(endpoint: Endpoint, first: Reply) -> dict[str, Any]:
    """Returns what a card says of the form of answers: the strictest that could be read.

    Where none could, the strictest that was taken counts, and the card says what came instead.
    """
    taken = []
    for form, params in _FORMATS.items():
        call = await _raw(endpoint, _body(endpoint, {"max_tokens": _LONGEST, **params}))
        if call is None or call.reply is None:
            continue
        if _problem(call.reply) is None:
            return {"format": form, "readable": True}
        taken.append(form)
    if (problem := _problem(first)) is None:
        return {"format": endpoint.card.get("format", "plain"), "readable": True}
    return {"format": next(iter(taken), "plain"), "readable": False, "unreadable": problem}


def _problem(reply: Reply) -> str | None:
    """Returns why the answer to the simplest question can't be read; None if it can."""
    (parsed,) = read_reply(reply, ["sky", "grass"], cap=_LONGEST)
    if parsed.verdict.readable:
        return None
    start = " ".join(reply.raw.split())[:200]
    came = f"; it was {start!r}" if start else "; nothing came"
    return f"{parsed.verdict}: {parsed.reason}{came}"


async def _schema_holds(endpoint: Endpoint) -> str:
    """Returns whether a schema is `enforced`, only `accepted`, or `refused`.

    The prompt asks for other names than the schema: an answer with the schema's own was made to.
    """
    form = _json_schema(booleans_schema(["moon", "iron"], 1))
    call = await _raw(endpoint, _body(endpoint, {"max_tokens": _LONGEST, "response_format": form}))
    if call is None or call.reply is None:
        return "refused"
    (parsed,) = read_reply(call.reply, ["moon", "iron"])
    return "enforced" if parsed.verdict.readable else "accepted"


async def _gives_logprobs(endpoint: Endpoint, card: Mapping[str, Any]) -> bool:
    if "logprobs" in card["drop"]:
        return False
    params = {"max_tokens": 64, "logprobs": True, "top_logprobs": 2}
    call = await _raw(endpoint, _body(endpoint, params))
    return call is not None and call.reply is not None and bool(call.reply.odds)


async def _seed_holds(endpoint: Endpoint, card: Mapping[str, Any]) -> bool:
    if "seed" in card["drop"]:
        return False
    params: dict[str, Any] = {"max_tokens": 64, "seed": 7}
    if "temperature" not in card["drop"]:
        params["temperature"] = 1
    calls = [await _raw(endpoint, _body(endpoint, params)) for _ in range(2)]
    texts = [c.reply.text for c in calls if c is not None and c.reply is not None]
    return len(texts) == 2 and texts[0] == texts[1]


async def _context(endpoint: Endpoint) -> int | None:
    """Returns the tokens of context that are served, where the list of models says so."""
    try:
        listed = json.loads(await endpoint.transport.get("/models"))["data"]
        mine = next((m for m in listed if m.get("id") == endpoint.model), None)
        if mine is None:
            return None
        for place in (mine, mine.get("meta") or {}):
            for name in _CONTEXT_FIELDS:
                value = place.get(name)
                if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                    return value
    except (CalmError, Transient, RowFault, *_NO_LIST):
        pass
    return None


async def _concurrency(endpoint: Endpoint, alone: float) -> int:
    """Returns the most requests at once that were all answered, none three times as slow as one."""
    best = 1
    for rung in _RUNGS:
        if rung > endpoint.pace.cap:
            break
        began = time.monotonic()
        bodies = [_body(endpoint, {"max_tokens": 16}) for _ in range(rung)]
        try:
            await asyncio.gather(*(endpoint.transport.send(body) for body in bodies))
        except (Transient, RowFault, Unsupported):
            break
        if time.monotonic() - began > 3 * max(alone, 0.2):
            break
        best = rung
    return best


def list_models(
    base_url: str | None = None, key_env: str = "OPENAI_API_KEY", timeout: float = 10.0
) -> list[str]:
    """Returns the models that an endpoint names.

    Raises:
        EndpointError: no key where one is needed, or the endpoint can't be reached or refuses.
    """
    transport = Transport(base_url, key_env, timeout)

    async def ask() -> bytes:
        try:
            return await transport.get("/models")
        finally:
            await transport.aclose()

    try:
        return sorted(str(m["id"]) for m in json.loads(asyncio.run(ask()))["data"])
    except (Transient, RowFault, Unsupported) as error:
        reason = str(error)
    except _NO_LIST:
        reason = "no list of models came back; is it an OpenAI-compatible server?"
    raise EndpointError(
        f"{transport.address}: {reason}. Check the address (often it ends in /v1),"
        f" that the server runs, and the key in {key_env}"
    )

"""Talks to an OpenAI-compatible endpoint: the one file that imports `openai`.

The SDK sends and authenticates; when to send, when to try again and when to stop is decided here
(`max_retries=0`), because of how the SDK's own retries fail (they retry an empty account, give up
on a long Retry-After, and its timeout is per read, not per request).

A key comes from the environment alone, and is taken out of everything that leaves this file.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import random
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import openai
from openai import AsyncOpenAI

from calm.budget import Budget
from calm.errors import EndpointError, UsageError
from calm.faults import RowFault, Transient, Unsupported, fault_of
from calm.pace import Pace
from calm.question import Call
from calm.records import Usage
from calm.reply import Malformed, Reply, read_body

DEFAULT_BASE_URL = "https://api.openai.com/v1"
_A_POOL = 32  # requests at once on one connection pool of httpx2
_SECRET = re.compile(r"\b(?:sk|rk|pk|key)-[A-Za-z0-9_\-]{8,}|(?i:bearer)\s+[^\s\"',]{8,}")


@dataclass(frozen=True)
class Connection:
    """Where and how to reach a model."""

    model: str
    base_url: str | None = None
    """None: `OPENAI_BASE_URL`, or OpenAI's own."""
    key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; never the key itself."""
    timeout: float = 120.0
    """Seconds one attempt may take in all."""
    deadline: float = 900.0
    """Seconds after which a question is given up, its retries included."""
    backoff: float = 0.5
    """Seconds before the second attempt, about; doubles with each, up to half a minute."""


class Endpoint:
    """One model at one address, asked at the pace it takes and within a budget.

    Args:
        card: what is known of its abilities (see `calm.probe`); grows while asking.

    Raises:
        EndpointError: no key where one is needed.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        pace: Pace | None = None,
        budget: Budget | None = None,
        card: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.connection = connection
        self.model = connection.model
        self.pace = pace or Pace()
        self.budget = budget or Budget()
        self.card = dict(card or {})
        self.keep_card: Callable[[Mapping[str, Any]], None] = lambda news: None
        """Told what was newly learned of the endpoint's abilities."""
        self._random = random.Random(seed)
        base_url = connection.base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
        if not base_url.startswith(("http://", "https://")):
            raise UsageError(f"a base URL starts with http:// or https://, not {base_url!r}")
        key = os.environ.get(connection.key_env, "")
        self.address = public_address(base_url)
        """The base URL without user, password or query."""
        if not key and urlsplit(base_url).hostname == urlsplit(DEFAULT_BASE_URL).hostname:
            raise EndpointError(
                f"no key: set {connection.key_env}, or name another endpoint with --base-url"
            )
        self._key = key
        self._base_url = base_url
        self._clients: list[AsyncOpenAI] = []
        self._load: list[int] = []
        self._answered_at: float | None = None
        self._refused = 0

    # --- asking ----------------------------------------------------------------------------------

    async def ask(
        self,
        prompt: str,
        params: Mapping[str, Any],
        *,
        schema: Mapping[str, Any] | None = None,
        on_failure: Callable[[Call], None] = lambda call: None,
    ) -> Call:
        """One answer to one prompt, however many attempts it takes.

        Args:
            params: sampling parameters, as the endpoint names them.
            schema: JSON schema of the answer, enforced as far as the endpoint can.
            on_failure: told of every attempt that failed.

        Raises:
            RowFault: this question has no answer: refused, or given up after its deadline.
            EndpointError, BudgetError: asking further is pointless.
        """
        began = time.monotonic()
        attempt = same = 0
        last = ""
        while True:
            try:
                return await self._attempt(prompt, params, schema, on_failure)
            except Unsupported as fault:
                self._adapt(fault, params, schema)  # each adaption sends less, so this ends
            except RowFault as fault:
                self._count_refusal(fault.detail)
                raise
            except Transient as fault:
                attempt += 1
                same = same + 1 if str(fault) == last else 1
                last = str(fault)
                wait = fault.retry_after
                if wait is None:
                    wait = min(30.0, self.connection.backoff * 2.0 ** min(attempt - 1, 10))
                    wait *= self._random.uniform(0.5, 1.0)
                left = self.connection.deadline - (time.monotonic() - began)
                if fault.limit is not None and same >= fault.limit:
                    self._give_up(fault, f"{same} times in a row")
                if wait > left:
                    self._give_up(fault, f"within {self.connection.deadline:g} s")
                await asyncio.sleep(wait)

    async def _attempt(
        self,
        prompt: str,
        params: Mapping[str, Any],
        schema: Mapping[str, Any] | None,
        on_failure: Callable[[Call], None],
    ) -> Call:
        expected = self.budget.estimate(len(prompt))
        # The slot first: whoever waits for it has set nothing aside yet.
        async with self.pace.slot(expected.prompt_tokens + expected.completion_tokens):
            await self.budget.hold(expected)
            body = self.body(prompt, params, schema)
            started, clock = time.time(), time.monotonic()
            used = Usage()
            try:
                reply = await self.send(body)
            except BaseException as fault:
                seconds = time.monotonic() - clock
                used = self.budget.settle(expected, Usage(seconds=seconds))
                if isinstance(fault, Transient):
                    if fault.pushback:
                        self.pace.pushed_back(fault.retry_after)
                    elif fault.kind == "timeout":
                        self.pace.slowed()
                    else:
                        self.pace.let_through()
                if isinstance(fault, Exception):
                    kind = getattr(fault, "kind", type(fault).__name__)
                    detail = self.scrub(str(fault))[:1000]
                    on_failure(Call(started, seconds, kind, None, detail, used.cost))
                raise
            seconds = time.monotonic() - clock
            used = self.budget.settle(
                expected, replace(reply.usage, seconds=seconds), characters=len(prompt)
            )
            self.pace.good(seconds)
        self._answered_at = time.monotonic()
        self._refused = 0
        return Call(started, seconds, "ok", replace(reply, usage=used), "", used.cost)

    def body(
        self, prompt: str, params: Mapping[str, Any], schema: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """The request as this endpoint takes it, by its card."""
        body = {"model": self.model, "messages": [{"role": "user", "content": prompt}], **params}
        if self.card.get("max_completion_tokens") and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        for name in self.card.get("drop", ()):
            body.pop(name, None)
        form = self.card.get("format", "schema")
        if schema is not None and form == "schema":
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": dict(schema)},
            }
        elif schema is not None and form == "json":
            body["response_format"] = {"type": "json_object"}
        return body

    async def send(self, body: Mapping[str, Any]) -> Reply:
        """One request for a completion, just once; it fails with one of our own faults.

        Raises:
            Transient, RowFault, Unsupported, EndpointError, BudgetError: see `calm.faults`.
        """
        response = await self._exchange(
            "POST",
            "/chat/completions",
            sent=body,
            content=json.dumps(body).encode(),  # as `body` the SDK copies it three times
        )
        try:
            reply = read_body(
                response.content,
                response.headers.get("content-type", ""),
                request_id=response.headers.get("x-request-id", ""),
            )
        except Malformed as error:
            raise Transient("malformed", self.scrub(str(error)), limit=4) from None
        if self._key and self._key in reply.text:
            reply = replace(reply, text=self.scrub(reply.text))
        return reply

    async def get(self, path: str) -> bytes:
        """The body of a page, e.g. `/models`; fails as `send` does."""
        return (await self._exchange("GET", path)).content

    async def post(
        self, path: str, value: Mapping[str, Any], files: Mapping[str, Any] | None = None
    ) -> bytes:
        """The body of what a page answers to a JSON value, or to a form with files."""
        if files is not None:
            return (await self._exchange("POST", path, body=value, files=files)).content
        return (await self._exchange("POST", path, content=json.dumps(value).encode())).content

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        sent: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        body: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> httpx2.Response:
        """One HTTP request; every way it can fail comes out as one of our own faults."""
        client = self._least_loaded()
        self._load[client] += 1
        try:
            async with asyncio.timeout(self.connection.timeout):
                if method == "GET":
                    return await self._clients[client].get(path, cast_to=httpx2.Response)
                if files is not None:
                    headers = {"content-type": "multipart/form-data"}
                    return await self._clients[client].post(
                        path,
                        cast_to=httpx2.Response,
                        body=body,
                        files=files,
                        options={"headers": headers},
                    )
                return await self._clients[client].post(
                    path, cast_to=httpx2.Response, content=content
                )
        except TimeoutError:
            raise Transient(
                "timeout", f"no whole answer in {self.connection.timeout:g} s"
            ) from None
        except openai.APIStatusError as error:
            refused = error  # raised below, where the SDK's error is not the context of ours:
            # its text holds the key if the server echoed it
        except openai.APIConnectionError as error:
            cause = _root(error)
            detail = self.scrub(f"{type(cause).__name__}: {cause}")
            # A refused connection, too, is an APITimeoutError where aiohttp makes it. A host that
            # never answered is more likely wrong than busy.
            limit = 5 if self._answered_at is None else None
            raise Transient("connection", detail, limit=limit) from None
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            detail = self.scrub(f"{type(error).__name__}: {error}")
            raise Transient("connection", detail, limit=5) from None
        finally:
            self._load[client] -= 1
        answer = refused.response
        headers = {k.lower(): v for k, v in answer.headers.items()}
        detail = self.scrub(answer.text or refused.message)
        raise fault_of(refused.status_code, detail, headers, sent=sent or {}, endpoint=self.address)

    def _least_loaded(self) -> int:
        if not self._clients:
            self._clients = [
                AsyncOpenAI(
                    api_key=self._key or "none",
                    base_url=self._base_url,
                    max_retries=0,
                    timeout=self.connection.timeout + 10,  # ours is the one that counts
                    http_client=http_client,
                )
                for http_client in _http_clients(self._base_url, self.pace.cap)
            ]
            self._load = [0] * len(self._clients)
        return min(range(len(self._load)), key=self._load.__getitem__)

    # --- learning and giving up ------------------------------------------------------------------

    def _adapt(
        self, fault: Unsupported, params: Mapping[str, Any], schema: Mapping[str, Any] | None
    ) -> None:
        """Takes a refused parameter into the card, so that it is not sent again."""
        name = fault.parameter
        now = self.body("", params, schema).get(name)
        if now != fault.sent:
            return  # learned meanwhile from another request
        news: dict[str, Any]
        if name == "response_format":
            # JSON mode may be known where schemas are not; only a second refusal rules it out.
            now = now or {}
            news = {"format": "json" if now.get("type") == "json_schema" else "plain"}
        elif name == "max_tokens":
            news = {"max_completion_tokens": True}
        else:
            both = {"logprobs", "top_logprobs"}
            drop = {*self.card.get("drop", ()), *(both if name in both else {name})}
            news = {"drop": sorted(drop)}
        self.card |= news
        self.keep_card(news)

    def _count_refusal(self, detail: str) -> None:
        self._refused += 1
        if self._answered_at is None and self._refused >= 20:
            raise EndpointError(
                f"{self.address} refused the first {self._refused} questions, the last with:"
                f" {detail}. Check the model and its parameters; `calm probe` tells what it takes"
            )

    def _give_up(self, fault: Transient, when: str) -> None:
        detail = f"given up ({when}): {fault}"
        if self._answered_at is None and fault.kind == "connection":
            raise EndpointError(
                f"can't reach {self.address}: {fault.detail}. Check that the server runs and that"
                " the base URL is right (often it ends in /v1)"
            )
        silent = time.monotonic() - (self._answered_at or time.monotonic())
        if silent > 2 * self.connection.deadline:
            raise EndpointError(
                f"{self.address} has not answered for {silent:.0f} s, last: {fault}."
                " All answers so far are kept; run again when it is back"
            )
        raise RowFault(fault.kind, detail)

    def scrub(self, text: str) -> str:
        """The text without the key or anything that looks like one."""
        if self._key:
            text = text.replace(self._key, "[key]")
        return _SECRET.sub("[key]", text)

    async def aclose(self) -> None:
        """Closes the connections."""
        clients, self._clients = self._clients, []
        for client in clients:
            await client.close()


def _root(error: BaseException) -> BaseException:
    """What an error goes back to."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _http_clients(base_url: str, cap: int) -> list[httpx2.AsyncClient]:
    """Connections for `cap` requests at once.

    aiohttp takes half the time on the processor; without it several small pools do, as the cost of
    one of httpx2's grows with its size.
    """
    if importlib.util.find_spec("aiohttp") is not None:
        limits = httpx2.Limits(max_connections=cap + 8, keepalive_expiry=60)
        return [openai.DefaultAioHttpClient(limits=limits)]
    context = ssl.create_default_context() if base_url.startswith("https") else False
    limits = httpx2.Limits(max_connections=None, keepalive_expiry=60)
    return [
        openai.DefaultAsyncHttpxClient(verify=context, limits=limits)
        for _ in range(-(-cap // _A_POOL))
    ]


def list_models(
    base_url: str | None = None, key_env: str = "OPENAI_API_KEY", timeout: float = 10.0
) -> list[str]:
    """The models that an endpoint names.

    Raises:
        EndpointError: no key where one is needed, or the endpoint can't be reached or refuses.
    """
    endpoint = Endpoint(Connection("", base_url, key_env, timeout), pace=Pace(1))

    async def ask() -> bytes:
        try:
            return await endpoint.get("/models")
        finally:
            await endpoint.aclose()

    try:
        return sorted(str(m["id"]) for m in json.loads(asyncio.run(ask()))["data"])
    except (Transient, RowFault, Unsupported) as error:
        said = str(error)
    except (ValueError, TypeError, KeyError):
        said = "no list of models came back; is it an OpenAI-compatible server?"
    raise EndpointError(
        f"{endpoint.address}: {said}. Check the address (often it ends in /v1),"
        f" that the server runs, and the key in {key_env}"
    )


@dataclass(frozen=True)
class Gathered:
    """What asking through the SDK alone brought."""

    answered: int
    requests: int
    seconds: float


def plain_gather(base_url: str, prompts: Sequence[str], at_once: int) -> Gathered:
    """Asks as one would with the SDK alone, its own retries and all: the bench's comparison."""
    requests = 0

    async def count(request: object) -> None:
        nonlocal requests
        requests += 1

    async def ask() -> int:
        http_client = openai.DefaultAsyncHttpxClient(event_hooks={"request": [count]})
        gate = asyncio.Semaphore(at_once)
        async with AsyncOpenAI(
            api_key="none", base_url=base_url, http_client=http_client
        ) as client:

            async def one(prompt: str) -> bool:
                async with gate:
                    try:
                        await client.chat.completions.create(
                            model="bench", messages=[{"role": "user", "content": prompt}]
                        )
                    except openai.OpenAIError:
                        return False
                    return True

            return sum(await asyncio.gather(*map(one, prompts)))

    clock = time.perf_counter()
    answered = asyncio.run(ask())
    return Gathered(answered, requests, time.perf_counter() - clock)


def public_address(url: str) -> str:
    """An address as it may be shown and stored: no user, password, query or fragment."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    netloc = host + (f":{parts.port}" if parts.port else "")
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))

"""Carries single requests to an OpenAI-compatible endpoint: the one file that asks with `openai`.

The SDK sends and authenticates, and nothing more: it has no retries here (`max_retries=0`), the
time limit is one of the whole request (the SDK's is per read), and every way a request can fail
comes out as one of the faults in `calm.endpoint.faults`. A key comes from the environment alone,
and is taken out of everything that leaves this file.
"""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx2

from calm.endpoint.envelope import Malformed, Reply, read_body
from calm.endpoint.environment import certificates, proxy_for, read_key
from calm.endpoint.faults import Transient, fault_of
from calm.errors import EndpointError, UsageError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

DEFAULT_BASE_URL = "https://api.openai.com/v1"
_A_POOL = 32  # requests at once on one connection pool of httpx2
_KEY_LENGTH = 8  # a shorter key is a placeholder ("x") that may stand in any text
_UNSENT = {
    *("ConnectError", "ProxyError", "PoolTimeout", "UnsupportedProtocol", "LocalProtocolError"),
    *("ClientConnectorError", "ClientHttpProxyError", "InvalidURL"),
}
"""Errors of httpx2 and of aiohttp from before a request leaves, aiohttp being no dependency."""
_SECRET = re.compile(r"\b(?:sk|rk|pk|key)-[A-Za-z0-9_\-]{8,}|(?i:bearer)\s+[^\s\"',]{8,}")


class Transport:
    """Sends requests to one endpoint, and turns every way to fail into a fault of our own.

    Args:
        base_url: None for `OPENAI_BASE_URL`, or OpenAI's own.
        key_env: name of the environment variable that holds the key.
        timeout: seconds a request may take in all.
        cap: requests at once that there are connections for.

    Raises:
        UsageError: the address is none. EndpointError: no key where one is needed.
    """

    def __init__(
        self,
        base_url: str | None = None,
        key_env: str = "OPENAI_API_KEY",
        timeout: float = 120.0,
        cap: int = 1,
    ) -> None:
        base_url = base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
        if not base_url.startswith(("http://", "https://")):
            raise UsageError(f"a base URL starts with http:// or https://, not {base_url!r}")
        self.timeout = timeout
        try:
            self.address = public_address(base_url)
        except ValueError as error:  # without the URL, which may hold a password
            raise UsageError(f"the base URL is no address: {error}") from None
        """The base URL without user, password or query."""
        self.key_env = key_env
        self._key = read_key(key_env)
        self._base_url, self._login = split_login(base_url)
        if self._key and self._login:
            raise UsageError(
                f"the base URL holds a user and password, and {key_env} a key, and only one can be"
                f" sent: take them out of the address {self.address}, or unset {key_env}"
            )
        secrets = (self._key, self._login, self._login.partition(":")[2])
        self._secrets = [s for s in secrets if len(s) >= _KEY_LENGTH]
        self._proxy = proxy_for(base_url)
        self._way = (
            f" (through the proxy {public_address(self._proxy)} of the environment; add"
            f" {urlsplit(base_url).hostname} to NO_PROXY to go around it)"
            if self._proxy
            else ""
        )
        self._certificates = certificates() if base_url.startswith("https://") else None
        theirs = urlsplit(base_url).hostname == urlsplit(DEFAULT_BASE_URL).hostname
        if theirs and not (self._key or self._login):
            raise EndpointError(f"no key: set {key_env}, or name another endpoint with --base-url")
        import openai  # noqa: F401 - here: it takes most of a second, and few commands ask a model

        self._cap = cap
        self._clients: list[AsyncOpenAI] = []
        self._load: list[int] = []

    async def open(self) -> None:
        """Prepares the endpoint for the first request; one that runs already needs nothing."""

    async def send(self, body: Mapping[str, Any]) -> Reply:
        """Sends one request for a completion, once, and returns its reply.

        Raises:
            Transient, RowFault, Unsupported, EndpointError, BudgetError: see
            `calm.endpoint.faults`.
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
            detail = self.scrub(str(error))
            raise Transient("malformed", detail, pushback=error.busy, limit=4, lost=True) from None
        words = reply.text + reply.refusal + reply.message
        if any(secret in words for secret in self._secrets):
            reply = replace(
                reply,
                text=self.scrub(reply.text),
                refusal=self.scrub(reply.refusal),
                message=self.scrub(reply.message),
            )
        return reply

    async def get(self, path: str) -> bytes:
        """Returns the body of a page, e.g. `/models`; fails as `send` does."""
        return (await self._exchange("GET", path)).content

    async def post(
        self, path: str, value: Mapping[str, Any], files: Mapping[str, Any] | None = None
    ) -> bytes:
        """Returns the body of a page's answer to a JSON value, or to a form with files."""
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
        """Returns the response to one HTTP request; whatever fails is one of our own faults."""
        import openai

        client = self._least_loaded()
        self._load[client] += 1
        try:
            async with asyncio.timeout(self.timeout):
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
            detail = f"no whole answer in {self.timeout:g} s"
            raise Transient("timeout", detail, lost=True) from None
        except openai.APIStatusError as error:
            refused = error  # raised below, where the SDK's error is not the context of ours:
            # its text holds the key if the server echoed it
        except openai.APIConnectionError as error:
            *_, cause = _causes(error)
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise EndpointError(
                    f"the certificate of {self.address} is not trusted: {cause.verify_message}."
                    " Set SSL_CERT_FILE to a file with the certificate that signed it"
                ) from None
            detail = self.scrub(f"{type(cause).__name__}: {cause}") + self._way
            # A refused connection, too, is an APITimeoutError where aiohttp makes it.
            raise Transient("connection", detail, lost=_was_sent(error)) from None
        except Exception as error:
            # Whatever the HTTP client makes of bytes that are no HTTP: its parser has errors that
            # neither the SDK nor the client's own interface names.
            detail = " ".join(self.scrub(f"{type(error).__name__}: {error}").split())[:300]
            raise Transient("connection", detail, limit=5, lost=_was_sent(error)) from None
        finally:
            self._load[client] -= 1
        answer = refused.response
        headers = {k.lower(): v for k, v in answer.headers.items()}
        raise fault_of(
            refused.status_code,
            answer.text or refused.message,
            headers,
            sent=sent or {},
            endpoint=self.address,
            key_env=self.key_env,
            scrub=self.scrub,
        )

    def _least_loaded(self) -> int:
        from openai import AsyncOpenAI

        if not self._clients:
            self._clients = [
                AsyncOpenAI(
                    api_key=self._key or "none",
                    base_url=self._base_url,
                    max_retries=0,
                    timeout=self.timeout + 10,  # ours is the one that counts
                    http_client=http_client,
                    default_headers=_basic(self._login) if self._login else None,
                )
                for http_client in _http_clients(self._cap, self._proxy, self._certificates)
            ]
            self._load = [0] * len(self._clients)
        return min(range(len(self._load)), key=self._load.__getitem__)

    def scrub(self, text: str) -> str:
        """Returns a text without the key or anything that looks like one."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return _SECRET.sub("[key]", text)

    async def aclose(self) -> None:
        """Closes the connections."""
        clients, self._clients = self._clients, []
        for client in clients:
            await client.close()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error, what caused it, what caused that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _was_sent(error: BaseException) -> bool:
    """Returns whether a request may have left before its connection failed."""
    classes = (cls.__name__ for cause in _causes(error) for cls in type(cause).__mro__)
    return _UNSENT.isdisjoint(classes)


def _basic(login: str) -> dict[str, str]:
    """Returns the header that sends a user and password."""
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def _http_clients(
    cap: int, proxy: str | None, context: ssl.SSLContext | None
) -> list[httpx2.AsyncClient]:
    """Returns HTTP clients with connections for `cap` requests at once.

    aiohttp takes half the time on the processor; without it several small pools do, as the cost of
    one of httpx2's grows with its size.
    """
    import openai

    if importlib.util.find_spec("aiohttp") is not None:
        limits = httpx2.Limits(max_connections=cap + 8, keepalive_expiry=60)
        return [
            openai.DefaultAioHttpClient(
                limits=limits, proxy=proxy, verify=context or True, trust_env=False
            )
        ]
    limits = httpx2.Limits(max_connections=None, keepalive_expiry=60)
    return [
        openai.DefaultAsyncHttpxClient(
            limits=limits, proxy=proxy, verify=context or True, trust_env=False
        )
        for _ in range(-(-cap // _A_POOL))
    ]


def split_login(url: str) -> tuple[str, str]:
    """Returns an address without user and password, and these as `user:password`, else ""."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=host)), unquote(login) if at else ""


def public_address(url: str) -> str:
    """Returns an address as it may be shown and stored: no user, password, query or fragment.

    Raises:
        ValueError: it names no host, or no port where one should be.
    """
    parts = urlsplit(url)
    host = parts.hostname
    if not host:
        raise ValueError("it names no host")
    host = f"[{host}]" if ":" in host else host
    netloc = host + (f":{parts.port}" if parts.port else "")
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))

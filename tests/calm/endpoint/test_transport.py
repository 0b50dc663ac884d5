"""Single requests: where they go, what may be shown of it, and answers that are no HTTP."""

import asyncio

import pytest

from calm.endpoint.client import Connection, Endpoint
from calm.endpoint.faults import Transient
from calm.endpoint.transport import Transport, public_address
from calm.errors import EndpointError, UsageError
from tests.support.raw_server import saying

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
NO_HTTP = {
    "a long header": OK + b"X-Long: " + b"a" * 9000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "many headers": OK + b"X-Many: a\r\n" * 20_000 + b"Content-Length: 2\r\n\r\n{}",
    "a header with a null byte": OK + b"X-Null: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "a header without a colon": OK + b"nothing\r\n\r\n{}",
    "a bad chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk cut short": OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{}",
    "a body cut short": OK + b"Content-Length: 100\r\n\r\n{}",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length that is none": OK + b"Content-Length: two\r\n\r\n{}",
    "a negative length": OK + b"Content-Length: -2\r\n\r\n{}",
    "no gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "an encoding nobody knows": OK + b"Content-Encoding: zpaq\r\nContent-Length: 2\r\n\r\n{}",
    "a status that is no number": b"HTTP/1.1 fine OK\r\n\r\n",
    "an old status line": b"ICY 200 OK\r\n\r\n",
    "a status beyond all": b"HTTP/1.1 99999 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18),
    "TLS": b"\x15\x03\x01\x00\x02\x02\x46",
    "nothing": b"",
    "half a status line": b"HTTP/1.",
    "noise": bytes(range(256)) * 64,
}
BANNERS = {
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "SMTP": b"220 mail.example ESMTP\r\n",
    "MySQL": b"\x4a\x00\x00\x00\x0a8.0.36\x00" + bytes(60),
}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@host:8443/v1/?key=abc#x", "https://host:8443/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, shown: str) -> None:
    assert public_address(url) == shown


@pytest.mark.parametrize(
    "url", ["localhost:8000", "http://", "http://host:port/v1", "http://[::1/v1", "http:///v1"]
)
def test_an_address_must_be_one(url: str) -> None:
    with pytest.raises(UsageError, match="base URL"):
        Transport(url)


def send(url: str) -> None:
    """One request; its fault comes through."""

    async def once() -> None:
        transport = Transport(url, timeout=120)
        try:
            await transport.send({"model": "m", "messages": []})
        finally:
            await transport.aclose()

    asyncio.run(once())


@pytest.mark.parametrize("shape", [*NO_HTTP, *BANNERS])
def test_what_the_http_client_cannot_parse_is_a_fault_that_may_go_away(shape: str) -> None:
    words = {**NO_HTTP, **BANNERS}[shape]
    with saying(words, unasked=shape in BANNERS) as url, pytest.raises(Transient) as fault:
        send(url)
    # What a client reads after all is no completion.
    assert fault.value.kind in ("connection", "malformed")
    assert len(fault.value.detail) < 400


def test_a_port_of_something_else_ends_with_a_line_that_names_the_address() -> None:
    with saying(BANNERS["SSH"], unasked=True) as url:
        endpoint = Endpoint(Connection("m", url, backoff=0.01))

        async def ask() -> None:
            try:
                await endpoint.ask("x", {})
            finally:
                await endpoint.aclose()

        with pytest.raises(EndpointError, match=rf"can't reach {url}: .*Check that the server"):
            asyncio.run(ask())


def test_user_and_password_of_an_address_are_sent_and_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    heads: list[bytes] = []
    with saying(OK + b"Content-Length: 2\r\n\r\n{}", heads=heads) as url:
        url = url.replace("://", "://user:pass%20word@")
        with pytest.raises(Transient, match="without choices"):
            send(url)
    assert b"authorization: basic dxnlcjpwyxnzihdvcmq=" in heads[0].lower()
    assert heads[0].lower().count(b"authorization") == 1
    transport = Transport(url)
    assert "pass" not in transport.address
    assert transport.scrub("it was user:pass word") == "it was [key]"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-key-of-its-own")
    with pytest.raises(UsageError, match="take them out of the address http://h/v1, or unset OPEN"):
        Transport("http://user:pass@h/v1")

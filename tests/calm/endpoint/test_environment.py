"""Keys, proxies and certificates in the environment: used, gone around, or refused by name."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from calm.endpoint.environment import certificates, proxy_for, read_key
from calm.endpoint.faults import Transient
from calm.endpoint.transport import Transport
from calm.errors import UsageError
from calm.loopback import Loopback


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT") or "API_KEY" in name:
            monkeypatch.delenv(name)


def test_a_key_is_taken_without_the_line_end_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-0123456789\r\n")
    assert read_key("MY_KEY") == "sk-0123456789"
    assert read_key("NO_KEY") == ""
    for key in ("sk-01\nsk-02", "sk 01", "ключ", "sk-\x7f"):
        monkeypatch.setenv("MY_KEY", key)
        with pytest.raises(UsageError, match=r"key in MY_KEY holds .* on one line"):
            read_key("MY_KEY")


@pytest.mark.parametrize(
    ("no_proxy", "around"),
    [
        ("", False),
        ("*", True),
        ("127.0.0.1", True),
        ("localhost, 127.0.0.0/8", True),
        ("127.0.0.1:8000", True),
        ("127.0.0.1:9000", False),
        ("127.0.0.2,example.com", False),
    ],
)
def test_loopback_goes_around_a_proxy_as_no_proxy_says(
    no_proxy: str, around: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for("http://127.0.0.1:8000/v1") == (
        None if around else "http://proxy.example:3128"
    )


@pytest.mark.parametrize(
    ("no_proxy", "around"),
    [
        ("example.com", True),
        (".example.com", True),
        ("*.example.com", True),
        ("API.EXAMPLE.COM:443", False),
        ("ample.com", False),
    ],
)
def test_a_name_goes_around_with_all_names_below_it(
    no_proxy: str, around: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert (proxy_for("https://api.example.com/v1") is None) == around


@pytest.mark.parametrize(
    "proxy",
    [
        *("socks://h:1", "socks5://u:secret@h:1", "ftp://h"),
        *("http://h:x", "http://h:99999", "http://"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(UsageError, match=r"ALL_PROXY names a proxy .* add h2 to NO_PROXY") as told:
        Transport("http://h2/v1")
    assert "secret" not in str(told.value)
    monkeypatch.setenv("NO_PROXY", "h2")
    Transport("http://h2/v1")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # aiohttp's, of logins for proxies
def test_a_proxy_that_is_not_there_is_named_where_nothing_can_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://me:secret-word@127.0.0.1:{port}")

    async def once() -> None:
        transport = Transport("http://127.0.0.2:9/v1")
        try:
            await transport.get("/models")
        finally:
            await transport.aclose()

    says = rf"through the proxy http://127.0.0.1:{port} .* add 127.0.0.2 to NO_PROXY"
    with pytest.raises(Transient, match=says) as fault:
        asyncio.run(once())
    assert "secret-word" not in str(fault.value)


def test_requests_go_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(answer=lambda body: "{}") as server:
        monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))

        async def once(url: str) -> str:
            transport = Transport(url)
            try:
                return str(await transport.get("/models"))
            finally:
                await transport.aclose()

        # The server knows no such page as the whole address that a proxy is asked for.
        with pytest.raises(Exception, match="no such page"):
            asyncio.run(once("http://model.invalid/v1"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert "loopback" in asyncio.run(once(server.url))


def test_certificates_that_are_not_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("absent.pem", "empty.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
        with pytest.raises(UsageError, match=rf"SSL_CERT_FILE names .*{name}.*or unset it"):
            Transport("https://localhost:9/v1")
        Transport("http://localhost:9/v1")  # needs none
    monkeypatch.setenv("SSL_CERT_FILE", "")
    assert certificates().verify_mode

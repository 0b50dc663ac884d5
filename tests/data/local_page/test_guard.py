"""Who is let in to a page of this machine, over real HTTP."""

from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from data.local_page.guard import guarded
from tests.support.local_page import Client, served


def page(_: Request) -> Response:
    return PlainTextResponse("secret")


def chart(_: Request) -> Response:
    return PlainTextResponse("chart", headers={"Content-Security-Policy": "default-src 'none'"})


@pytest.fixture
def client() -> Iterator[Client]:
    routes = [
        Route("/", page, methods=["GET", "POST"]),
        Route("/read", page, methods=["GET"]),
        Route("/chart", chart, methods=["GET"]),
    ]
    with served(lambda port: guarded(routes, port)) as client:
        yield client


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "[::1]:80"])
def test_other_hosts_are_refused(client: Client, host: str) -> None:
    """DNS rebinding: a name of the attacker's that points to 127.0.0.1."""
    status, text, headers = client.ask("GET", "/", Host=host)
    assert (status, "secret" in text) == (403, False)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert client.ask("GET", "/", Host=f"localhost:{client.port}")[0] == 200


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "https://127.0.0.1"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_is_taken_from_other_pages(client: Client, origin: str, method: str) -> None:
    assert client.ask(method, "/", Origin=origin, Content_Length="0")[0] == 403


def test_a_form_of_this_page_is_taken_if_it_is_small(client: Client) -> None:
    own = f"http://127.0.0.1:{client.port}"
    assert client.ask("POST", "/", Origin=own, Content_Length="0")[0] == 200
    assert client.ask("POST", "/", Origin=own, Content_Length="70000")[0] == 413
    assert client.ask("POST", "/read", Origin=own, Content_Length="0")[0] == 405


def test_every_answer_carries_the_policy_and_a_picture_its_own(client: Client) -> None:
    for path in ("/", "/nothing"):
        headers = client.ask("GET", path)[2]
        policy = headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
    headers = client.ask("GET", "/chart")[2]
    assert headers["content-security-policy"] == "default-src 'none'"
    assert headers["cross-origin-resource-policy"] == "same-origin"

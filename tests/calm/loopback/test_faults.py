"""Every fault is what it is called; the fault tests of endpoint and judges rely on it."""

import json
import socket

import pytest

from calm.endpoint.envelope import Malformed, read_body
from calm.loopback import Loopback
from calm.loopback.faults import CONTENT_FAULTS, FAULTS, Case, completion, error

ONE = Case('{"a": true, "b": false}', "x" * 40, "sk-1", 1)


@pytest.mark.parametrize("name", sorted(CONTENT_FAULTS))
def test_faults_of_content_are_whole_completions(name: str) -> None:
    wire = FAULTS[name](ONE)
    assert wire.status == 200
    reply = read_body(wire.body)
    assert reply.usage.completion_tokens >= 1
    assert reply.text != ONE.content or reply.finish != "stop"


BODIES = "html error-200 empty-object empty-body empty-choices null-choices malformed 503-html"


@pytest.mark.parametrize("name", BODIES.split())
def test_faults_of_transport_are_no_completions(name: str) -> None:
    with pytest.raises(Malformed):
        read_body(FAULTS[name](ONE).body)


@pytest.mark.parametrize("name", ["429", "402", "500", "401", "403", "404"])
def test_a_status_that_is_a_name_is_the_status(name: str) -> None:
    assert FAULTS[name](ONE).status == int(name)


@pytest.mark.parametrize("name", ["disconnect", "bad-chunk", "long-header", "ssh-banner"])
def test_what_is_no_http_is_sent_as_it_is_and_the_connection_closed(name: str) -> None:
    with (
        Loopback(script=[name]) as server,
        socket.create_connection(("127.0.0.1", server.port)) as c,
    ):
        c.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 47\r\n\r\n")
        c.sendall(b'{"model": "m", "messages": [{"content": "hi"}]}')
        received = b"".join(iter(lambda: c.recv(65536), b""))
    assert received == FAULTS[name](ONE).raw


def test_tokens_are_four_characters() -> None:
    usage = completion("y" * 9, prompt="x" * 41)["usage"]
    assert usage == {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}


def test_an_error_has_the_shape_and_headers_of_openai_s() -> None:
    wire = error(429, "slow down", "rate", retry_after="1")
    assert json.loads(wire.body)["error"] == {
        "message": "slow down", "type": "rate", "param": None, "code": "rate",
    }  # fmt: skip
    assert wire.headers == {"retry-after": "1"}

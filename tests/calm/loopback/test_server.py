"""The loopback server: counts, refusals, a bucket, and the program that runs it."""

import json
import signal
import urllib.request

import pytest

from calm.loopback import Loopback
from calm.loopback.faults import Wire
from tests.support.processes import line, python


def _ask(server: Loopback, key: str = "", **more: object) -> Wire:
    body = {"model": "m", "messages": [{"role": "user", "content": "p"}], **more}
    return server.respond("POST", "/v1/chat/completions", key, json.dumps(body).encode())


def _server(**options: object) -> Loopback:
    return Loopback(answer=lambda body: "fine", **options)  # type: ignore[arg-type]


def test_a_script_comes_first_and_every_request_is_counted() -> None:
    server = _server(script=["500", "", "prose"])
    assert [_ask(server).status for _ in range(4)] == [500, 200, 200, 200]
    assert server.counts == {"500": 1, "ok": 2, "prose": 1}
    assert (server.requests, server.answered["p"], len(server.bodies)) == (4, 2, 4)


def test_a_bucket_takes_as_many_at_once_as_it_holds() -> None:
    server = _server(bucket=1e-6, burst=2)
    assert [_ask(server).status for _ in range(3)] == [200, 200, 429]


def test_keys_parameters_and_unknown_faults_are_refused() -> None:
    server = _server(key="sk-1", refuses=["seed"])
    assert _ask(server).status == 401
    assert _ask(server, "sk-1", seed=7).status == 400
    assert _ask(server, "sk-1").status == 200
    assert server.respond("GET", "/v2/other", "sk-1", b"").status == 404
    with pytest.raises(ValueError, match="no fault 'explode'"):
        _server(script=["explode"])


def test_log_probabilities_come_where_they_are_asked_for() -> None:
    server = Loopback(answer=lambda body: '{"a": true}', logprobs=True)
    plain, odds = (json.loads(_ask(server, logprobs=x).body)["choices"][0] for x in (False, True))
    assert plain["logprobs"] is None
    tokens = odds["logprobs"]["content"]
    assert "".join(t["token"] for t in tokens) == '{"a": true}'
    assert [t["token"] for t in tokens if len(t["top_logprobs"]) == 2] == ["true"]


def test_the_program_prints_its_address_and_ends_on_request() -> None:
    with python("-m", "calm.loopback", "--fault", "prose=1") as process:
        with urllib.request.urlopen(f"{line(process)}/models", timeout=60) as answer:
            assert json.loads(answer.read())["data"][0]["id"] == "loopback"
        process.send_signal(signal.SIGTERM)
        assert process.wait(240) == 0

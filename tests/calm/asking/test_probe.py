"""The card of an endpoint: what it takes, what it gives, and that asking starts from it."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from calm.asking.probe import list_models, probe
from calm.errors import EndpointError
from calm.judges import make_judge
from calm.judges.openai import OpenAIJudge
from calm.loopback import Loopback
from calm.loopback.faults import Wire
from calm.records import Task, Transition, Verdict
from calm.store.store import Store


def _answer(body: Mapping[str, Any]) -> str:
    return json.dumps({"sky": True, "grass": False})


def _card(server: Loopback, store: Store, **options: Any) -> dict[str, Any]:
    judge = make_judge("openai:loopback", base_url=server.url, store=store, backoff=0.01)
    assert isinstance(judge, OpenAIJudge)
    card = judge.run(probe(judge.endpoint, **options))
    store.keep_card(judge.endpoint.address, "loopback", card)
    return card


def test_an_endpoint_that_can_all(store: Store) -> None:
    with Loopback(answer=_answer, logprobs=True) as server:
        card = _card(server, store)
    assert card["format"] == "schema"
    assert card["drop"] == []
    assert card["logprobs"] is card["seed"] is card["usage"] is True
    assert card["concurrency"] >= 1
    assert card["context"] is None


@pytest.mark.parametrize("parameter", ["temperature", "seed", "top_p"])
def test_what_is_refused_is_dropped(store: Store, parameter: str) -> None:
    with Loopback(answer=_answer, refuses=(parameter,)) as server:
        assert _card(server, store, concurrency=False)["drop"] == [parameter]


def test_an_endpoint_that_can_little_is_asked_accordingly(
    store: Store, task: Task, rules: dict
) -> None:
    with Loopback(answer=_answer, refuses=("response_format", "logprobs", "seed")) as server:
        card = _card(server, store, concurrency=False)
        assert card["format"] == "plain"
        assert card["drop"] == ["seed", "logprobs", "top_logprobs"]
        assert card["logprobs"] is False
        server.counts.clear()
        judge = make_judge(
            "openai:loopback", base_url=server.url, store=store, logprobs=True, extra={"seed": 1}
        )
        judge.judge(task, task.subgoals, [Transition("T", {"events": "x"}, "")])
        assert server.counts == {"ok": 1}


def test_a_format_that_is_taken_and_ignored_does_not_count(store: Store) -> None:
    def answer(body: Mapping[str, Any]) -> str:
        form = body.get("response_format", {}).get("type")
        return "Blue, and no." if form == "json_schema" else _answer(body)

    with Loopback(answer=answer) as server:
        assert _card(server, store, concurrency=False)["format"] == "json"


def test_a_refused_key_ends_the_probe(store: Store) -> None:
    with Loopback(answer=_answer, key="another") as server, pytest.raises(EndpointError):
        _card(server, store)


def test_answers_before_a_probe_are_answers_after_it(store: Store, task: Task, rules: dict) -> None:
    one = [Transition("T", {"events": "x"}, "")]
    with Loopback(rules) as server:
        before = make_judge("openai:loopback", base_url=server.url, store=store)
        before.judge(task, task.subgoals, one)
    with Loopback(answer=_answer, refuses=("temperature",)) as server:
        _card(server, store, concurrency=False)
        after = make_judge("openai:loopback", base_url=server.url, store=store)
        assert after.judge(task, task.subgoals, one)[0].verdict is Verdict.OK


def test_models_are_listed_or_the_reason_is_told() -> None:
    with Loopback() as server:
        assert list_models(server.url) == ["loopback"]
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1:9"):
        list_models("http://127.0.0.1:9/v1")
    with pytest.raises(EndpointError, match="OPENAI_API_KEY"):
        list_models()


def _keys(body: Mapping[str, Any]) -> list[str]:
    """The names that the schema of a request demands; none where it has none."""
    form = body.get("response_format", {})
    return list(form["json_schema"]["schema"]["required"]) if "json_schema" in form else []


def test_a_schema_is_enforced_where_it_wins_over_the_prompt(store: Store) -> None:
    def enforcing(body: Mapping[str, Any]) -> str:
        return json.dumps(dict.fromkeys(_keys(body) or ["sky", "grass"], True))

    with Loopback(answer=enforcing) as server:
        assert _card(server, store, concurrency=False)["schema"] == "enforced"
    with Loopback(answer=_answer) as server:
        assert _card(server, store, concurrency=False)["schema"] == "accepted"
    with Loopback(answer=_answer, refuses=("response_format",)) as server:
        assert _card(server, store, concurrency=False)["schema"] == "refused"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("Blue, and no.", "invalid: not JSON: .*; it was 'Blue, and no.'"),
        ("", "invalid: empty; nothing came"),
        ('{"sky": "yes", "grass": "no"}', "invalid: not a boolean"),
        ('<think>{"sky": true, "grass": false}', "invalid: not JSON"),
    ],
)
def test_an_answer_that_can_not_be_read_is_told_with_the_reason(
    store: Store, answer: str, why: str
) -> None:
    with Loopback(answer=lambda body: answer) as server:
        card = _card(server, store, concurrency=False)
    assert card["readable"] is False
    assert re.match(why, card["unreadable"])


def test_an_answer_after_a_thought_is_readable(store: Store) -> None:
    text = 'Sky: yes.\n</think>\n{"sky": true, "grass": false}<|im_end|>'
    with Loopback(answer=lambda body: text) as server:
        card = _card(server, store, concurrency=False)
    assert (card["readable"], card["format"]) == (True, "schema")
    assert "unreadable" not in card


class _Listed(Loopback):
    """Says more of its model than its name."""

    def __init__(self, more: Mapping[str, Any]) -> None:
        super().__init__(answer=_answer)
        self.more = more

    def respond(self, method: str, path: str, key: str, content: bytes) -> Wire:
        if path.endswith("/models"):
            return Wire(body=json.dumps({"data": [{"id": "loopback", **self.more}]}).encode())
        return super().respond(method, path, key, content)


@pytest.mark.parametrize(
    ("more", "context"),
    [
        ({"max_model_len": 8192}, 8192),
        ({"meta": {"n_ctx_train": 131072}}, None),
        ({"meta": {"n_ctx": 4096, "n_ctx_train": 131072}}, 4096),
        ({"max_context_length": 131072, "loaded_context_length": 2048}, 2048),
        ({"context_length": True}, None),
        ({"context_length": -1}, None),
    ],
)
def test_the_context_is_what_is_served_never_what_was_trained_on(
    store: Store, more: dict[str, Any], context: int | None
) -> None:
    with _Listed(more) as server:
        assert _card(server, store, concurrency=False)["context"] == context


def test_a_server_that_crashes_over_a_schema_is_probed_without_it(store: Store) -> None:
    class Crashes(Loopback):
        def _draw(self) -> str:
            return "500" if "response_format" in self.bodies[-1] else ""

    with Crashes(answer=_answer) as server:
        card = _card(server, store, concurrency=False)
    assert (card["format"], card["schema"], card["readable"]) == ("plain", "refused", True)

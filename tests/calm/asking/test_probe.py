"""The card of an endpoint: what it takes, what it gives, and that asking starts from it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from calm.asking.probe import list_models, probe
from calm.errors import EndpointError
from calm.judges import make_judge
from calm.judges.openai import OpenAIJudge
from calm.loopback import Loopback
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

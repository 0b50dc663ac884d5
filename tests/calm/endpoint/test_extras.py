"""A server that crashes over a schema or log-probabilities is asked without them, and only it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from calm.endpoint.extras import extras_of, without_extras
from calm.loopback import Loopback
from calm.records import Task, Verdict
from tests.support.loopback_judge import judge_of, one

SCHEMA = {"response_format": {"type": "json_schema"}}


def test_extras_are_left_out_one_at_a_time_then_together() -> None:
    assert extras_of({"model": "m"}) == frozenset()
    assert without_extras({}, {"model": "m"}) == []
    assert without_extras({}, SCHEMA) == [{"format": "json"}, {"format": "plain"}]
    no_logprobs = {"drop": ["logprobs", "seed", "top_logprobs"]}
    assert without_extras({"drop": ["seed"]}, SCHEMA | {"logprobs": True}) == [
        no_logprobs,
        {"format": "json"},
        {"format": "plain"},
        {"format": "plain"} | no_logprobs,
    ]


class _Crashes(Loopback):
    """Answers 500 to whatever `crash` says of a request's body."""

    def __init__(self, rules: Any, crash: Any) -> None:
        super().__init__(rules)
        self.crash = crash

    def _draw(self) -> str:
        return "500" if self.crash(self.bodies[-1]) else super()._draw()


def _learned(card: Mapping[str, Any]) -> dict[str, Any]:
    """What a card says of extras."""
    return {name: card[name] for name in ("format", "drop") if name in card}


def _schema(body: Mapping[str, Any]) -> bool:
    return body.get("response_format", {}).get("type") == "json_schema"


@pytest.mark.parametrize(
    ("crash", "card"),
    [
        (_schema, {"format": "json"}),
        (lambda body: "response_format" in body, {"format": "plain"}),
        (lambda body: "logprobs" in body, {"drop": ["logprobs", "top_logprobs"]}),
        (
            lambda body: "logprobs" in body or "response_format" in body,
            {"format": "plain", "drop": ["logprobs", "top_logprobs"]},
        ),
    ],
)
def test_what_makes_the_server_crash_is_left_out_from_then_on(
    crash: Any, card: dict[str, Any], task: Task, rules: dict
) -> None:
    with _Crashes(rules, crash) as server:
        judge = judge_of(server, logprobs=True, concurrency=1)
        assert one(judge, task).verdict is Verdict.OK
        assert _learned(judge.endpoint.card) == card
        assert _learned(judge.store.card(judge.endpoint.address, "m")) == card
        server.counts.clear()
        assert one(judge, task, "another").verdict is Verdict.OK
        assert server.counts == {"ok": 1}


def test_a_server_that_crashes_by_chance_keeps_its_schema(task: Task, rules: dict) -> None:
    with Loopback(rules, script=["500", "500"]) as server:
        judge = judge_of(server, concurrency=1)
        assert one(judge, task).verdict is Verdict.OK
        assert _learned(judge.endpoint.card) == {}
        assert [_schema(body) for body in server.bodies] == [True, True, False, True]
        assert judge.usage.requests == 4
        outcomes = judge.store.database.query("SELECT outcome FROM calls ORDER BY id")
        assert sorted(o for (o,) in outcomes) == ["500", "500", "ok", "repeated"]


def test_a_question_that_crashes_by_its_own_schema_is_answered_without_it(
    task: Task, rules: dict
) -> None:
    def crash(body: Mapping[str, Any]) -> bool:
        return _schema(body) and "odd" in json.dumps(body["messages"])

    with _Crashes(rules, crash) as server:
        judge = judge_of(server, concurrency=1)
        assert one(judge, task).verdict is Verdict.OK
        assert one(judge, task, "odd").verdict is Verdict.OK
        assert _learned(judge.endpoint.card) == {}
        assert one(judge, task, "even").verdict is Verdict.OK
        assert _schema(server.bodies[-1])

"""A card decides what is sent, and what was refused is not sent again."""

from typing import Any

import pytest

from calm.endpoint.card import learned_from_refusal, request_body

PARAMS = {"max_tokens": 9, "seed": 3, "logprobs": True, "top_logprobs": 5}
SCHEMA = {"type": "object"}


@pytest.mark.parametrize(
    ("card", "rest"),
    [
        ({"drop": ["logprobs", "top_logprobs"]}, {"max_tokens": 9, "seed": 3}),
        ({"max_completion_tokens": True, "drop": list(PARAMS)}, {"max_completion_tokens": 9}),
        ({"drop": ["top_k", *PARAMS]}, {}),
    ],
)
def test_parameters_go_by_the_card(card: dict[str, Any], rest: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": "Was it?"}]
    assert request_body("m", "Was it?", PARAMS, None, card) == {
        "model": "m",
        "messages": messages,
        **rest,
    }


@pytest.mark.parametrize(
    ("card", "form"),
    [({}, "json_schema"), ({"format": "json"}, "json_object"), ({"format": "plain"}, None)],
)
def test_a_schema_is_sent_as_far_as_it_is_known(card: dict[str, Any], form: str | None) -> None:
    body = request_body("m", "Was it?", {}, SCHEMA, card)
    assert body.get("response_format", {}).get("type") == form
    assert "response_format" not in request_body("m", "Was it?", {}, None, card)


def test_the_beginning_of_an_answer_is_a_turn_of_the_model() -> None:
    body = request_body("m", "Was it?", {"prefill": "It"}, None, {})
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant"]
    assert "prefill" not in body


@pytest.mark.parametrize("name", [*PARAMS, "response_format"])
def test_each_refusal_sends_less_until_nothing_is_left(name: str) -> None:
    card: dict[str, Any] = {}
    values = []
    for _ in range(4):
        body = request_body("m", "Was it?", PARAMS, SCHEMA, card)
        if name not in body:
            break
        values.append(body[name])
        card |= learned_from_refusal(card, name, body[name])
    assert len(values) == (2 if name == "response_format" else 1)
    assert name not in request_body("m", "Was it?", PARAMS, SCHEMA, card)


def test_log_probabilities_go_together_and_what_was_dropped_stays_so() -> None:
    card = {"drop": ["seed"]}
    assert learned_from_refusal(card, "logprobs", True) == {
        "drop": ["logprobs", "seed", "top_logprobs"]
    }
    assert learned_from_refusal(card, "top_k", 4) == {"drop": ["seed", "top_k"]}

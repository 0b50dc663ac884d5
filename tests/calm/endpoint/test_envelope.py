"""HTTP 200 is not success: what is no chat completion is said to be none."""

import json

import pytest

from calm.endpoint.envelope import Malformed, read_body
from calm.loopback.faults import completion
from calm.records import Usage


def test_a_completion_gives_text_end_usage_and_model() -> None:
    body = completion("yes", prompt="x" * 40, model="m")
    body["usage"]["prompt_tokens_details"] = {"cached_tokens": 7}
    reply = read_body(json.dumps(body).encode(), "application/json", request_id="r1")
    assert (reply.text, reply.finish, reply.model, reply.request_id) == ("yes", "stop", "m", "r1")
    assert (reply.usage.prompt_tokens, reply.usage.cached_tokens) == (10, 7)


def test_half_a_character_is_replaced_wherever_it_stands() -> None:
    """SQLite, parquet and terminals can't hold it, and one would end the whole job."""
    body = completion("é \ud83d\ude00 \ud800", prompt="x", model="m\udfff")
    body["choices"][0]["finish_reason"] = "st\ud800op"
    reply = read_body(json.dumps(body).encode())
    assert (reply.text, reply.model, reply.finish) == ("é 😀 ?", "m?", "st?op")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<html><h1>502</h1></html>", "HTML"),
        (b"<!DOCTYPE html>", "HTML"),
        (b'{"id": "x", "choi', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{}", "without choices"),
        (b"[]", "list instead"),
        (b"null", "NoneType instead"),
        (b'{"choices": null}', "without choices"),
        (b'{"choices": []}', "without choices"),
        (b'{"choices": ["x"]}', "without choices"),
        (b'{"error": {"message": "upstream"}}', "upstream"),
    ],
)
def test_anything_else_is_malformed(content: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_body(content)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": None}, ""),
        ({"content": None, "reasoning_content": "{}"}, "{}"),
        ({"content": [{"type": "text", "text": "a"}, {"text": "b"}, 3]}, "ab"),
        (None, ""),
    ],
)
def test_odd_messages_are_text_or_empty(message: object, text: str) -> None:
    body = {"choices": [{"message": message, "finish_reason": 3}], "usage": {"prompt_tokens": "9"}}
    reply = read_body(json.dumps(body).encode())
    assert reply.text == text
    assert reply.finish is None
    assert reply.usage.prompt_tokens == 9


def _body(message: object, finish: object = "stop", **more: object) -> bytes:
    choice = {"message": message, "finish_reason": finish, **more}
    return json.dumps({"choices": [choice]}).encode()


@pytest.mark.parametrize("content", [None, "", "\n\n", "\ufeff", []])
@pytest.mark.parametrize(
    "field", ["reasoning", "reasoning_content", "thinking", "thought", "reasoning_details"]
)
def test_where_the_content_is_blank_the_text_is_that_of_the_thoughts(
    content: object, field: str
) -> None:
    thought = [{"type": "reasoning.text", "text": "{}"}] if field.endswith("details") else "{}"
    reply = read_body(_body({"role": "assistant", "content": content, field: thought}))
    assert reply.text == "{}"
    assert reply.is_thought
    cut = read_body(_body({"content": content, field: thought}, "MAX_TOKENS"))
    assert cut.text == ""
    assert cut.raw == cut.message
    assert json.loads(cut.message)[field] == thought


def test_the_whole_message_is_kept_where_it_holds_more_than_its_content() -> None:
    message = {"role": "assistant", "content": "{}", "reasoning": "Hm.", "tool_calls": None}
    reply = read_body(_body(message))
    assert (reply.text, reply.raw, reply.is_thought) == ("{}", "{}", False)
    assert json.loads(reply.message) == message
    assert read_body(_body({"role": "assistant", "content": "{}", "refusal": None})).message == ""


def test_parts_that_think_or_decline_are_no_content() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "a draft"}]},
        {"type": "reasoning", "text": "another"},
        {"type": "text", "text": "{}"},
    ]
    reply = read_body(_body({"content": parts}))
    assert reply.text == "{}"
    assert json.loads(reply.message)["content"] == parts
    declined = read_body(_body({"content": [{"type": "refusal", "refusal": "No."}]}))
    assert declined.refusal == "No."


@pytest.mark.parametrize(
    ("choice", "body"),
    [
        ({"finish_reason": "error", "error": {"code": 502}, "message": {"content": ""}}, {}),
        ({"finish_reason": "error", "message": {"content": '{"take": tr'}}, {}),
        ({"finish_reason": "abort", "message": {"content": ""}}, {}),
        ({"finish_reason": "engine-error", "message": {"content": ""}}, {}),
        ({"finish_reason": "SERVER_OVERLOADED", "message": {"content": '{"take"'}}, {}),
        ({"finish_reason": "ABORTED", "message": None}, {}),
        ({"finish_reason": "insufficient_system_resource", "message": {"content": ""}}, {}),
        ({"finish_reason": None, "message": {"content": None}}, {"error": {"message": "down"}}),
        ({}, {"error": "down"}),
        ({"finish_reason": "stop", "message": {"content": "x", "error": "down"}}, {}),
    ],
)
def test_a_failure_inside_a_good_envelope_is_no_answer(choice: dict, body: dict) -> None:
    with pytest.raises(Malformed):
        read_body(json.dumps({"choices": [choice], **body}).encode())


def test_an_error_beside_an_answer_leaves_the_answer() -> None:
    body = {"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}], "error": "late"}
    assert read_body(json.dumps(body).encode()).text == "{}"


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        (100, 100),
        (100.0, 100),
        ("100", 100),
        ("100.0", 100),
        (None, 0),
        (-1, 0),
        (0, 0),
        (True, 0),
        (10**30, 0),
        ("1e999", 0),
        (float("nan"), 0),
        (float("inf"), 0),
        ("many", 0),
        ([100], 0),
        ({"total": 100}, 0),
    ],
)
def test_odd_token_counts_are_read_where_they_can_be(value: object, tokens: int) -> None:
    body = completion("yes", prompt="x" * 40, model="m")
    details = {"cached_tokens": value}
    body["usage"] = {"prompt_tokens": value, "completion_tokens": value}
    body["usage"]["prompt_tokens_details"] = details
    usage = read_body(json.dumps(body).encode()).usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (tokens,) * 3
    for odd in (None, "none", [value], 7):
        body["usage"] = odd
        assert read_body(json.dumps(body).encode()).usage.prompt_tokens == 0


@pytest.mark.parametrize(
    ("total", "tokens"),
    [
        (1009, 1000),  # 1000 and 9: the cached ones are among the prompt's
        (1409, 1400),  # 1000, 400 and 9: they are apart
        (1057, 1000),  # 48 thoughts besides, counted in no other place
        (None, 1000),  # nobody can tell
        ("1409", 1400),
        (-1, 1000),
    ],
)
def test_cached_tokens_that_the_total_holds_beside_the_prompts_are_added_to_them(
    total: object, tokens: int
) -> None:
    body = completion("yes", prompt="x", model="m")
    details = {"cached_tokens": 400}
    body["usage"] = {"prompt_tokens": 1000, "completion_tokens": 9, "total_tokens": total}
    body["usage"]["prompt_tokens_details"] = details
    usage = read_body(json.dumps(body).encode()).usage
    assert _counts(usage) == (tokens, 400, 9)
    # Without cached tokens a total adds nothing, whatever it is.
    details["cached_tokens"] = 0
    usage = read_body(json.dumps(body).encode()).usage
    assert _counts(usage) == (1000, 0, 9)


def _counts(usage: Usage) -> tuple[int, int, int]:
    return usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens


@pytest.mark.parametrize("logprob", [1e6, 1e400, float("nan"), 10**400, "x", None, [0]])
def test_log_probabilities_beyond_reason_are_none(logprob: object) -> None:
    body = completion("true", prompt="x", model="m")
    top = [{"token": "true", "logprob": logprob}]
    good = {"token": "true", "logprob": -0.1, "top_logprobs": top}
    for tokens in ([good], [{"token": "true", "logprob": logprob}]):
        body["choices"][0]["logprobs"] = {"content": tokens}
        assert read_body(json.dumps(body).encode()).odds == ()


@pytest.mark.parametrize(
    ("prompt", "cached", "counts"),
    [(50, 2200, (2250, 2200)), (50, 50, (50, 50)), (0, 2200, (0, 0)), (None, 7, (0, 0))],
)
def test_cached_tokens_that_can_be_no_part_of_the_prompt_are_added_to_it(
    prompt: int | None, cached: int, counts: tuple[int, int]
) -> None:
    body = completion("yes", prompt="x", model="m")
    details = {"cached_tokens": cached}
    body["usage"] = {"prompt_tokens": prompt, "prompt_tokens_details": details}
    usage = read_body(json.dumps(body).encode()).usage
    assert (usage.prompt_tokens, usage.cached_tokens) == counts

"""HTTP 200 is not success: what is no chat completion is said to be none."""

import json

import pytest

from calm.endpoint.envelope import Malformed, read_body
from calm.loopback.faults import completion


def test_a_completion_gives_text_end_usage_and_model() -> None:
    body = completion("yes", prompt="x" * 40, model="m")
    body["usage"]["prompt_tokens_details"] = {"cached_tokens": 7}
    reply = read_body(json.dumps(body).encode(), "application/json", request_id="r1")
    assert (reply.text, reply.finish, reply.model, reply.request_id) == ("yes", "stop", "m", "r1")
    assert (reply.usage.prompt_tokens, reply.usage.cached_tokens) == (10, 7)


@pytest.mark.parametrize(
    ("content", "said"),
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
def test_anything_else_is_malformed(content: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said):
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
    assert reply.usage.prompt_tokens == 0

"""Which fault calls for what: another try, giving a row up, or stopping."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from calm.endpoint.faults import (
    RowFault,
    Transient,
    Unsupported,
    fault_of,
    retry_after,
    unsupported,
)
from calm.errors import BudgetError, EndpointError
from calm.records import Verdict

SENT = {"model": "m", "temperature": 0, "max_tokens": 9, "response_format": {"type": "json_schema"}}


@pytest.mark.parametrize(
    ("status", "detail", "error"),
    [
        (401, "bad key", EndpointError),
        (402, "Insufficient Balance", BudgetError),
        (403, "no access", EndpointError),
        (403, "Key limit exceeded: insufficient credit", BudgetError),
        (404, "no such model", EndpointError),
        (429, "slow down", Transient),
        (429, "code: insufficient_quota", BudgetError),
        (429, "You exceeded your current quota, please check", BudgetError),
        (408, "timeout", Transient),
        (409, "conflict", Transient),
        (500, "oops", Transient),
        (503, "overloaded", Transient),
        (529, "overloaded", Transient),
        (400, "This model's maximum context length is 4096 tokens", RowFault),
        (413, "too large", RowFault),
        (400, "filtered by our content management policy", RowFault),
        (400, "temperature does not support 0 with this model", Unsupported),
        (422, "Extra inputs are not permitted: response_format", Unsupported),
        (400, "what is this", RowFault),
    ],
)
def test_each_status_has_its_fault(status: int, detail: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        raise fault_of(status, detail, {}, sent=SENT, endpoint="http://e")


def test_details_of_faults() -> None:
    with pytest.raises(Transient) as slow:
        raise fault_of(429, "x", {"retry-after": "3"}, sent=SENT, endpoint="e")
    assert (slow.value.retry_after, slow.value.pushback, slow.value.limit) == (3.0, True, None)
    with pytest.raises(Transient) as broken:
        raise fault_of(500, "x", {}, sent=SENT, endpoint="e")
    assert (broken.value.pushback, broken.value.limit) == (False, 6)
    with pytest.raises(RowFault) as cut:
        raise fault_of(400, "content_filter", {}, sent=SENT, endpoint="e")
    assert cut.value.verdict is Verdict.FILTERED


def test_the_whole_text_tells_the_fault_and_the_scrubbed_one_is_shown() -> None:
    text = "maximum context of the key context-12345"
    with pytest.raises(RowFault) as cut:
        raise fault_of(400, text, {}, sent=SENT, endpoint="e", scrub=lambda _: "[key]")
    assert (cut.value.kind, cut.value.detail) == ("too long", "[key]")


@pytest.mark.parametrize(
    ("detail", "parameter"),
    [
        ("Unsupported value: 'temperature' does not support 0", "temperature"),
        ("'max_tokens' is not supported, use 'max_completion_tokens' instead", "max_tokens"),
        ("json_schema is not supported by this backend", "response_format"),
        ("unknown field: guided_json schema", "response_format"),
        ("logprobs are not available with reasoning models", None),  # was not sent
        ("the prompt mentions temperature", None),
        ("invalid prompt", None),
    ],
)
def test_a_refused_parameter_is_recognised_among_those_sent(
    detail: str, parameter: str | None
) -> None:
    assert unsupported(detail, SENT) == parameter


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "-2"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "1e400"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
    ],
)
def test_retry_after_in_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date() -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after({"retry-after": when}) == pytest.approx(30, abs=2)

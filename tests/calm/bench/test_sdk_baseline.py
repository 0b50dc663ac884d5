"""The SDK alone, which the bench compares with."""

from calm.bench.sdk_baseline import plain_gather
from calm.loopback import Loopback


def test_every_request_is_counted_and_what_is_not_answered_is_told() -> None:
    with Loopback(answer=lambda body: "{}", script=["", "401", ""]) as server:
        result = plain_gather(server.url, ["a", "b", "c"], at_once=1)
    assert (result.answered, result.requests) == (2, 3)
    assert result.seconds > 0
    assert server.requests == 3

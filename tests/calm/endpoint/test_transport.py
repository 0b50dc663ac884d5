"""Single requests: where they go, and what may be shown of it."""

import pytest

from calm.endpoint.transport import Transport, public_address
from calm.errors import UsageError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@host:8443/v1/?key=abc#x", "https://host:8443/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, shown: str) -> None:
    assert public_address(url) == shown


@pytest.mark.parametrize(
    "url", ["localhost:8000", "http://", "http://host:port/v1", "http://[::1/v1", "http:///v1"]
)
def test_an_address_must_be_one(url: str) -> None:
    with pytest.raises(UsageError, match="base URL"):
        Transport(url)

"""Single requests: where they go, and what may be shown of it."""

import pytest

from calm.errors import UsageError
from calm.transport import Transport, public_address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@host:8443/v1/?key=abc#x", "https://host:8443/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, shown: str) -> None:
    assert public_address(url) == shown


def test_an_address_must_be_one() -> None:
    with pytest.raises(UsageError, match="http"):
        Transport("localhost:8000")

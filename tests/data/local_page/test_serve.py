"""Serving a page until it is interrupted: `calm label` and `calm watch` do it through this."""

import socket

import pytest

from calm.errors import UsageError
from data.local_page.guard import guarded
from data.local_page.serve import serve


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} cannot be used .*; name another"):
            serve(lambda p: guarded([], p), "token", port, ready=lambda _: pytest.fail("it served"))

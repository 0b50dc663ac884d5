"""Serves a page on this machine's loopback address until interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from calm.errors import UsageError

HOST = "127.0.0.1"


def serve(
    application: Callable[[int], Starlette],
    token: str,
    port: int,
    *,
    ready: Callable[[str], None],
) -> None:
    """Serves until Ctrl-C or SIGTERM; calls `ready` with the page's address once it listens.

    Args:
        application: from the port to what answers there.
        token: with which the paths of the application begin.
        port: on 127.0.0.1; 0 takes a free one.
        ready: told the address, token included.

    Raises:
        UsageError: the port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise UsageError(f"port {port} cannot be used ({error}); name another") from error
        port = listener.getsockname()[1]
        listener.listen(16)
        config = uvicorn.Config(
            application(port),
            http="h11",
            ws="none",
            lifespan="off",
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        ready(f"http://{HOST}:{port}/{token}/")
        uvicorn.Server(config).run(sockets=[listener])

"""Serves the labelling page on this machine's loopback address until interrupted."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from calm.errors import UsageError
from calm.files import write_file
from data.label.server import application
from data.label.session import Session

HOST = "127.0.0.1"


def kept_token(labels: Path) -> str:
    """Returns the address's token, kept beside the labels so that an open page finds the server.

    The file is readable by its owner alone.

    Raises:
        UsageError: it can't be written, or holds no token.
        CalmError: the disk is full.
    """
    path = labels.with_name(f"{labels.name}.token")
    if not path.exists():
        write_file(path, secrets.token_urlsafe(24), private=True)
    token = path.read_text("utf-8").strip()
    if len(token) < 16 or "/" in token:
        raise UsageError(f"{path}: not a token; remove it and start again")
    return token


def serve(session: Session, port: int, *, ready: Callable[[str], None]) -> None:
    """Serves until Ctrl-C; calls `ready` with the page's address once it listens.

    Args:
        session: what is labelled.
        port: on 127.0.0.1; 0 takes a free one.
        ready: told the address, token included.

    Raises:
        UsageError: the port is taken.
    """
    token = kept_token(session.store.path)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise UsageError(f"port {port} cannot be used ({error}); name another") from error
        port = listener.getsockname()[1]
        listener.listen(16)
        config = uvicorn.Config(
            application(session, token, port),
            http="h11",
            ws="none",
            lifespan="off",
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        ready(f"http://{HOST}:{port}/{token}/")
        uvicorn.Server(config).run(sockets=[listener])

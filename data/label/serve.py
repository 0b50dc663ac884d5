"""Serves the labelling page on this machine's loopback address until interrupted."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

from calm.errors import UsageError
from calm.files import write_file
from data.label.server import application
from data.label.session import Session
from data.local_page.serve import serve as serve_page


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
    serve_page(partial(application, session, token), token, port, ready=ready)

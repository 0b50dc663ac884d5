"""A page that is served on loopback in this process, and a client that can be rude."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette


class Client:
    """Asks a page on a port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers of an answer; a header given as "" is not sent."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Host": f"127.0.0.1:{self.port}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        client.request(method, path, headers={k: v for k, v in sent.items() if v})
        response = client.getresponse()
        text = response.read().decode()
        client.close()
        return response.status, text, {k.lower(): v for k, v in response.getheaders()}

    def json(self, path: str, **query: object) -> Any:
        """What a page says as JSON, where it is pleased to."""
        status, text, _ = self.ask("GET", f"{path}?{urlencode(query)}")
        assert status == 200, text
        return json.loads(text)


@contextmanager
def served(application: Callable[[int], Starlette]) -> Iterator[Client]:
    """Serves an application on a free port until the block's end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            application(port), http="h11", ws="none", lifespan="off", log_level="warning"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield Client(port)
        finally:
            server.should_exit = True
            thread.join(60)
